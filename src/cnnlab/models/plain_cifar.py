"""Plain networks for small images, taken apart: any depth, with or without normalisation, any activation.

The shape is that of He et al. 2015 (arXiv:1512.03385), section 4.2, without shortcuts: 6n + 2 weighted layers,

| output map size | 32x32  | 16x16   | 8x8     |
|-----------------|--------|---------|---------|
| # layers        | 1 + 2n | 2n      | 2n      |
| # filters       | width  | 2 width | 4 width |

then global average pooling and a linear layer: `plain_cifar` with its defaults is `plain20`. It is for questions
that those fixed networks cannot answer: what depth does without batch normalisation, under which initialisation
(He et al. 2015, arXiv:1502.01852, section 2.2), and what an activation changes (Krizhevsky et al. 2012, Figure 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, head_alias

Activation = Literal["relu", "tanh", "sigmoid"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class PlainCifar(Network):
    """Three stages of 3x3 convolutions, each normalised or not, and activated."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(
        self, layers: int, *, norm: bool, activation: Activation, width: int, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        if layers < 8 or (layers - 2) % 6:
            raise UsageError(f"a plain network of {layers} layers; give 6 n + 2: 8, 14, 20, 26, …")
        if activation not in ACTIVATIONS:
            raise UsageError(f"no activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        self.num_classes, self.in_channels = num_classes, in_channels
        deep = (layers - 2) // 3  # convolutions of a stage
        self.stem = nn.Sequential(*_layer(in_channels, width, 1, norm, activation))
        self.layer1 = _stage(deep, width, width, 1, norm, activation)
        self.layer2 = _stage(deep, width, 2 * width, 2, norm, activation)
        self.layer3 = _stage(deep, 2 * width, 4 * width, 2, norm, activation)
        self.fc = nn.Linear(4 * width, num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1`, `layer2`, `layer3` (N, C, H, W) and `pooled` (N, 4 width)."""
        self.check_images(images)
        stem = self.stem(images)
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        pooled = layer3.mean(dim=(2, 3))
        return {"stem": stem, "layer1": layer1, "layer2": layer2, "layer3": layer3, "pooled": pooled}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _stage(
    layers: int, in_channels: int, channels: int, stride: int, norm: bool, activation: Activation
) -> nn.Sequential:
    made = [*_layer(in_channels, channels, stride, norm, activation)]
    for _ in range(layers - 1):
        made += _layer(channels, channels, 1, norm, activation)
    return nn.Sequential(*made)


def _layer(in_channels: int, channels: int, stride: int, norm: bool, activation: Activation) -> Iterator[nn.Module]:
    """One convolution, which has biases where no normalisation follows, and its activation."""
    yield nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=not norm)
    if norm:
        yield nn.BatchNorm2d(channels)
    yield ACTIVATIONS[activation]()


def plain_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    layers: int = 20,
    norm: bool = True,
    activation: Activation = "relu",
    width: int = 16,
) -> PlainCifar:
    """A plain network of any depth 6n + 2: 269,722 parameters as it stands, the same network as `plain20`."""
    return PlainCifar(
        layers, norm=norm, activation=activation, width=width, num_classes=num_classes, in_channels=in_channels
    )
