"""Highway networks for CIFAR. Srivastava, Greff and Schmidhuber 2015 (arXiv:1507.06228), section 3.2, Table 2.

A highway layer carries part of its input past a layer H, as much as a gate T says (equation 3):

    y = H(x) T(x) + x (1 - T(x)),    T(x) = sigmoid(W x + b),    b < 0 at the start, so that the input passes.

H is a convolution and ReLU; T has a kernel of the same size. Where the width changes, a plain layer stands.

| stage, map size | `highway19` (Fitnet 4's shape) | `highway32`                         |
|-----------------|--------------------------------|-------------------------------------|
| 1, 32x32        | 3x3 32, 4 highway 3x3          | 3x3 32, 9 highway 3x3, 1x1, 3x3 ... |
| 2, 16x16        | 3x3 80, 5 highway 3x3          | 3x3 64, 9 highway                   |
| 3, 8x8          | 3x3 128, 5 highway 3x3         | 3x3 82, 9 highway                   |
| end             | 1x1 100, average, 10           | 1x1 100, average, 10                |

ReLU after each convolution; max pooling 2x2 between stages; dropout 0.2 before each stage and the last layer.

Differences:
- `highway19` is the authors' own Caffe file for CIFAR, whose gates start at -2; the paper searched -1 to -10.
- The authors published no file for the 32-layer network, only that 3x3 and 1x1 receptive fields alternate and
  that it has about 1.25 million parameters. The widths here are ours: 1,239,932 parameters.
- `highway_dense` and `plain_dense` are the fully connected networks of section 3.1, for MNIST; their weights start
  by He's rule, where the paper searched.
- Weights start by Caffe's Xavier rule; the first convolution and the last layer from N(0, 0.05), as in the
  file.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.initialise import caffe_xavier_, fill
from cnnlab.models.layers import Network, head_alias
from cnnlab.models.lenet import only_size

LAST_MAPS = 100  # of the 1x1 convolution before the average
STAGES = {  # layers: for each stage, its width and the kernels of its highway layers
    19: ((32, (3,) * 4), (80, (3,) * 5), (128, (3,) * 5)),
    32: ((32, (3, 1) * 4 + (3,)), (64, (3, 1) * 4 + (3,)), (82, (3, 1) * 4 + (3,))),
}


class Gate(nn.Conv2d):
    """T before its sigmoid. `initialise` sets its bias to `initial_bias` as well."""

    def __init__(self, channels: int, kernel: int, initial_bias: float) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2)
        self.initial_bias = initial_bias


class HighwayLayer(nn.Module):
    """Equation 3, on maps."""

    def __init__(self, channels: int, kernel: int, gate_bias: float) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.gate = Gate(channels, kernel, gate_bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) for maps of the same shape: x + T (H(x) - x)."""
        return torch.lerp(maps, F.relu(self.transform(maps), inplace=True), torch.sigmoid(self.gate(maps)))


class Highway(Network):
    """Three stages, each a plain convolution and highway layers."""

    head = "fc"
    classifier = head_alias("fc")
    smallest_pixels = 4

    def __init__(self, layers: int, *, num_classes: int, in_channels: int, gate_bias: float, dropout: float) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        (w1, kernels1), (w2, kernels2), (w3, kernels3) = STAGES[layers]
        self.stage1 = _stage(in_channels, w1, kernels1, gate_bias)
        self.stage2 = _stage(w1, w2, kernels2, gate_bias)
        self.stage3 = _stage(w2, w3, kernels3, gate_bias)
        self.conv = nn.Conv2d(w3, LAST_MAPS, kernel_size=1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(LAST_MAPS, num_classes)
        fill(self, caffe_xavier_)
        first = self.get_submodule("stage1.0")
        assert isinstance(first, nn.Conv2d)
        nn.init.normal_(first.weight, std=0.05)
        nn.init.normal_(self.fc.weight, std=0.05)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stage1`, `stage2`, `stage3`, `conv` (N, C, H, W) and `pooled` (N, 100)."""
        self.check_images(images)
        stage1 = self.stage1(self.dropout(images))
        stage2 = self.stage2(self.dropout(F.max_pool2d(stage1, 2)))
        stage3 = self.stage3(self.dropout(F.max_pool2d(stage2, 2)))
        conv = F.relu(self.conv(stage3), inplace=True)
        pooled = conv.mean(dim=(2, 3))
        return {"stage1": stage1, "stage2": stage2, "stage3": stage3, "conv": conv, "pooled": pooled}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 32x32 in the paper."""
        logits: Tensor = self.fc(self.dropout(self.features(images)["pooled"]))
        return logits


def _stage(in_channels: int, channels: int, kernels: tuple[int, ...], gate_bias: float) -> nn.Sequential:
    plain = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1)
    highway = (HighwayLayer(channels, kernel, gate_bias) for kernel in kernels)
    return nn.Sequential(plain, nn.ReLU(inplace=True), *highway)


def highway19(*, num_classes: int = 10, in_channels: int = 3, gate_bias: float = -2.0, dropout: float = 0.2) -> Highway:
    """The 19-layer highway network ("B"): 2,256,838 parameters."""
    return Highway(19, num_classes=num_classes, in_channels=in_channels, gate_bias=gate_bias, dropout=dropout)


def highway32(*, num_classes: int = 10, in_channels: int = 3, gate_bias: float = -2.0, dropout: float = 0.2) -> Highway:
    """A 32-layer highway network ("C"): 1,239,932 parameters."""
    return Highway(32, num_classes=num_classes, in_channels=in_channels, gate_bias=gate_bias, dropout=dropout)


# -- fully connected, by depth: section 3.1 and Figure 1 ----------------------------------------------------------


class LinearGate(nn.Linear):
    """T of a fully connected layer, before its sigmoid. `initialise` sets its bias to `initial_bias` as well."""

    def __init__(self, units: int, initial_bias: float) -> None:
        super().__init__(units, units)
        self.initial_bias = initial_bias


class Dense(nn.Module):
    """A fully connected layer and ReLU; with a gate (equation 3) a highway layer, without one a plain layer."""

    def __init__(self, units: int, gate_bias: float | None) -> None:
        super().__init__()
        self.transform = nn.Linear(units, units)
        self.gate = None if gate_bias is None else LinearGate(units, gate_bias)

    def forward(self, values: Tensor) -> Tensor:
        """Values (N, units) for values of the same shape."""
        made = F.relu(self.transform(values))
        return made if self.gate is None else torch.lerp(values, made, torch.sigmoid(self.gate(values)))


class DenseStack(Network):
    """A plain layer from the pixels to `units`, `layers` - 2 layers of that width, plain or highway, and logits."""

    def __init__(
        self, layers: int, units: int, gate_bias: float | None, *, pixels: int, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels, self.smallest_pixels = num_classes, in_channels, pixels
        self.first = nn.Linear(in_channels * pixels * pixels, units)
        self.hidden = nn.Sequential(*(Dense(units, gate_bias) for _ in range(layers - 2)))
        self.classifier = nn.Linear(units, num_classes)
        fill(self, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`first` and `hidden` (N, units)."""
        only_size(images, self, self.smallest_pixels)
        first = F.relu(self.first(images.flatten(1)))
        return {"first": first, "hidden": self.hidden(first)}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, pixels, pixels)."""
        logits: Tensor = self.classifier(self.features(images)["hidden"])
        return logits


def highway_dense(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    pixels: int = 28,
    layers: int = 10,
    units: int = 50,
    gate_bias: float = -2.0,
) -> DenseStack:
    """The fully connected highway network of Figure 1: 50 units a layer, 10, 20, 50 or 100 layers."""
    return DenseStack(layers, units, gate_bias, pixels=pixels, num_classes=num_classes, in_channels=in_channels)


def plain_dense(
    *, num_classes: int = 10, in_channels: int = 1, pixels: int = 28, layers: int = 10, units: int = 71
) -> DenseStack:
    """The plain network of Figure 1: 71 units a layer, about as many parameters as 50 with gates."""
    return DenseStack(layers, units, None, pixels=pixels, num_classes=num_classes, in_channels=in_channels)
