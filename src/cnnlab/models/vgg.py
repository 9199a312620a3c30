"""VGG. Simonyan and Zisserman 2014 (arXiv:1409.1556), section 2, Table 1, for 224x224 images.

| column | stage 1, 64 | stage 2, 128 | stage 3, 256 | stage 4, 512 | stage 5, 512 | name         |
|--------|-------------|--------------|--------------|--------------|--------------|--------------|
| A      | 3           | 3            | 3 3          | 3 3          | 3 3          | `vgg11`      |
| A-LRN  | 3, LRN      | 3            | 3 3          | 3 3          | 3 3          | `vgg11_lrn`  |
| B      | 3 3         | 3 3          | 3 3          | 3 3          | 3 3          | `vgg13`      |
| C      | 3 3         | 3 3          | 3 3 1        | 3 3 1        | 3 3 1        | `vgg16_c`    |
| D      | 3 3         | 3 3          | 3 3 3        | 3 3 3        | 3 3 3        | `vgg16`      |
| E      | 3 3         | 3 3          | 3 3 3 3      | 3 3 3 3      | 3 3 3 3      | `vgg19`      |

Numbers are kernel sides; ReLU after every convolution, max pooling 2x2 after every stage, then 4096, 4096 and
1000 fully-connected units with dropout after the first two.

Differences:
- Weights start by Glorot and Bengio's rule, which the paper's footnote says makes its pre-training needless.
  Its text draws from N(0, variance 0.01) and copies the outer layers of a trained A into the deeper ones;
  `initialise(net, "gaussian", std=0.1)` is the text to the letter, std 0.01 what the released Caffe files
  have.
- LRN has AlexNet's constants, as section 2.1 says.
- `_bn` puts batch normalisation after each convolution, whose bias stays (torchvision; not in the paper).
- The maps are averaged to 7x7 (torchvision), so that images of 32 pixels and more work; nothing changes at
  224.
- `vgg11_cifar` and `vgg_cifar`, any column, read the one 512-channel pixel that is left of a 32x32 image, with 512
  units in each fully-connected layer: the habit of those who train VGG on CIFAR-10, not the paper's. Their `width`
  is that of stage 1, from which the others follow; `hidden=0` leaves a single linear layer (kuangliu, bearpaw),
  `batch_norm` normalises each convolution.
- `classifier` is all three fully-connected layers; state_dict keys are torchvision's.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from cnnlab.errors import unknown_name
from cnnlab.models.initialise import fill, filler
from cnnlab.models.layers import (
    FeatureSequence,
    LocalResponseNorm,
    Network,
    features_alias,
    linear_without_init,
)

Column = Literal["A", "A-LRN", "B", "C", "D", "E"]
WIDTHS = (64, 128, 256, 512, 512)  # stages 1 to 5
TABLE_1 = {  # column: the kernels of each stage
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
HIDDEN = 4096


def stages(column: Column, widths: tuple[int, ...], in_channels: int, batch_norm: bool) -> list[nn.Module | str]:
    """The convolutional layers of a column of Table 1, `stage1` to `stage5` named after their pooling."""
    layers: list[nn.Module | str] = []
    channels = in_channels
    for number, (width, kernels) in enumerate(zip(widths, TABLE_1[column], strict=True), start=1):
        for kernel in kernels:
            layers.append(nn.Conv2d(channels, width, kernel, padding=kernel // 2))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        if number == 1 and column == "A-LRN":
            layers.append(LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2.0))
        layers += [nn.MaxPool2d(2, stride=2), f"stage{number}"]
    return layers


class VGG(Network):
    """One column of Table 1."""

    features = features_alias()
    smallest_pixels = 32

    def __init__(
        self,
        column: Column,
        *,
        batch_norm: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        width: int = WIDTHS[0],
        hidden: int = HIDDEN,
        pooled_pixels: int = 7,
    ) -> None:
        super().__init__()
        if column not in TABLE_1:
            raise unknown_name("column", column, TABLE_1)
        self.num_classes, self.in_channels = num_classes, in_channels
        widths = tuple(width * each // WIDTHS[0] for each in WIDTHS)
        self.features = FeatureSequence(
            stages(column, widths, in_channels, batch_norm),
            network="VGG",
            in_channels=in_channels,
            smallest=self.smallest_pixels,
            pooled_pixels=pooled_pixels,
        )
        self.classifier = _classifier(widths[-1] * pooled_pixels**2, hidden, num_classes, dropout)
        fill(self, filler("xavier"))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper."""
        logits: Tensor = self.classifier(self.features(images)["pooled"])
        return logits


def _classifier(inputs: int, hidden: int, num_classes: int, dropout: float) -> nn.Module:
    if hidden == 0:
        return linear_without_init(inputs, num_classes)
    return nn.Sequential(
        linear_without_init(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        linear_without_init(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        linear_without_init(hidden, num_classes),
    )


def vgg11(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column A: 132,863,336 parameters."""
    return VGG("A", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg11_lrn(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column A-LRN, local response normalisation after conv1: 132,863,336 parameters."""
    return VGG("A-LRN", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg13(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column B: 133,047,848 parameters."""
    return VGG("B", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg16_c(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column C, with three 1x1 convolutions: 133,638,952 parameters."""
    return VGG("C", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg16(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column D: 138,357,544 parameters."""
    return VGG("D", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg19(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column E: 143,667,240 parameters."""
    return VGG("E", num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg11_bn(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column A with batch normalisation: 132,868,840 parameters."""
    return VGG("A", batch_norm=True, num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg13_bn(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column B with batch normalisation: 133,053,736 parameters."""
    return VGG("B", batch_norm=True, num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg16_bn(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column D with batch normalisation: 138,365,992 parameters."""
    return VGG("D", batch_norm=True, num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg19_bn(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG:
    """Column E with batch normalisation: 143,678,248 parameters."""
    return VGG("E", batch_norm=True, num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def vgg11_cifar(
    *, num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5, width: int = 64, hidden: int = 512
) -> VGG:
    """Column A for 32x32 images: 512 units in place of 4096, 9,750,922 parameters. Not in the paper."""
    return vgg_cifar(
        column="A", num_classes=num_classes, in_channels=in_channels, dropout=dropout, width=width, hidden=hidden
    )


def vgg_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    dropout: float = 0.5,
    column: Column = "D",
    width: int = 64,
    hidden: int = 512,
    batch_norm: bool = False,
) -> VGG:
    """Any column for 32x32 images, D as it stands: 15,245,130 parameters. Not in the paper."""
    return VGG(
        column,
        batch_norm=batch_norm,
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        width=width,
        hidden=hidden,
        pooled_pixels=1,
    )
