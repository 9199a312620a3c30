"""The network of the MATLAB tutorial "Train Residual Network for Image Classification", before R2021b.

32x32 images; `width` 16 and `units` a stage, 2 in the text's walk-through, 3 in the network it trains
("CIFARNet-20-16", 2 units * 3 + 2 layers), 6 for a deeper one:

| map size        | 32x32                   | 16x16         | 8x8            |
|-----------------|-------------------------|---------------|----------------|
| standard unit   | 3x3, w; 3x3, w          | 2w; 2w        | 4w; 4w         |
| bottleneck unit | 1x1, w; 3x3, w; 1x1, 4w | 2w; 2w; 8w    | 4w; 4w; 16w    |

Every convolution is followed by batch normalisation; ReLU after the addition. Where the shape changes the
shortcut is a 1x1 convolution with batch normalisation (option B of He et al. 2015). MATLAB's layer names
and ours:

| MATLAB                                | here                                  |
|---------------------------------------|---------------------------------------|
| convInp, BNInp, reluInp               | conv1, bn1                            |
| S{s}U{u}conv1, BN1, relu1, conv2, BN2 | layer{s}.{u-1}.conv1, bn1, conv2, bn2 |
| skipConv1, skipBN1                    | layer2.0.downsample.0, .1             |
| skipConv2, skipBN2                    | layer3.0.downsample.0, .1             |
| skipConv0, skipBN0 (bottleneck)       | layer1.0.downsample.0, .1             |
| globalPool, fcFinal                   | mean over the map, fc                 |

Beside the paper's ResNet-20: convolutions have biases, as MATLAB's always do; shortcuts are projections, not
option A; weights start from Glorot's uniform, MATLAB's default.

Differences:
- MATLAB's 'same' padding of a stride-2 convolution pads the far side only (by its documentation; we have
  not run it); here 1 pixel on both sides. Map sizes are the same, the windows lie one pixel apart.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, head_alias

Unit = Literal["standard", "bottleneck"]


def _skip(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


class StandardUnit(nn.Module):
    """Two 3x3 convolutions with biases, each batch-normalised, and a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _skip(in_channels, channels, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = self.bn2(self.conv2(maps))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


class BottleneckUnit(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolutions with biases, each batch-normalised, and a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=stride, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _skip(in_channels, out_channels, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        maps = self.bn3(self.conv3(maps))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


UNITS: dict[str, type[StandardUnit] | type[BottleneckUnit]] = {
    "standard": StandardUnit,
    "bottleneck": BottleneckUnit,
}


class MatlabResNet(Network):
    """Three stages of `units` units, `width`, 2 `width` and 4 `width` wide."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(
        self,
        *,
        width: int = 16,
        units: int = 3,
        unit: Unit = "standard",
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if unit not in UNITS:
            raise UsageError(f"no unit {unit!r}; known: {', '.join(map(repr, UNITS))}")
        if width < 1 or units < 1:
            raise UsageError(f"width {width} and units {units}: both are 1 or more; the tutorial has 16 and 3")
        self.num_classes, self.in_channels = num_classes, in_channels
        expansion = UNITS[unit].expansion
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(UNITS[unit], units, width, width, 1)
        self.layer2 = _stage(UNITS[unit], units, width * expansion, 2 * width, 2)
        self.layer3 = _stage(UNITS[unit], units, 2 * width * expansion, 4 * width, 2)
        self.fc = nn.Linear(4 * width * expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1`, `layer2`, `layer3` (N, C, H, W) and `pooled` (N, C)."""
        self.check_images(images)
        stem = F.relu(self.bn1(self.conv1(images)), inplace=True)
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
    unit: type[StandardUnit] | type[BottleneckUnit], units: int, in_channels: int, channels: int, stride: int
) -> nn.Sequential:
    first = unit(in_channels, channels, stride)
    return nn.Sequential(first, *(unit(channels * unit.expansion, channels, 1) for _ in range(units - 1)))


def resnet_matlab(
    *, width: int = 16, units: int = 3, unit: Unit = "standard", num_classes: int = 10, in_channels: int = 3
) -> MatlabResNet:
    """CIFARNet-20-16, 273,258 parameters; with 2 `units` a stage 175,818, with 6 565,578."""
    return MatlabResNet(width=width, units=units, unit=unit, num_classes=num_classes, in_channels=in_channels)
