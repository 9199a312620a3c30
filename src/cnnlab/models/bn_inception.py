"""BN-Inception, Inception v2. Ioffe and Szegedy 2015 (arXiv:1502.03167), Figure 5, for 224x224 images.

| layer            | output | 1x1 | 3x3 reduce | 3x3 | double reduce | double 3x3 | pool, projection | channels |
|------------------|--------|-----|------------|-----|---------------|------------|------------------|----------|
| conv1 7x7/2, 64  | 112    | then max pool 3x3/2                                                             |
| conv2 3x3, 192   | 56     |     | 64         | then max pool 3x3/2                                          |
| inception 3a     | 28     | 64  | 64         | 64  | 64            | 96         | average, 32      | 256      |
| inception 3b     | 28     | 64  | 64         | 96  | 64            | 96         | average, 64      | 320      |
| inception 3c, /2 | 14     |     | 128        | 160 | 64            | 96         | max, passed on   | 576      |
| inception 4a     | 14     | 224 | 64         | 96  | 96            | 128        | average, 128     | 576      |
| inception 4b     | 14     | 192 | 96         | 128 | 96            | 128        | average, 128     | 576      |
| inception 4c     | 14     | 160 | 128        | 160 | 128           | 160        | average, 128     | 608      |
| inception 4d     | 14     | 96  | 128        | 192 | 160           | 192        | average, 128     | 608      |
| inception 4e, /2 | 7      |     | 128        | 192 | 192           | 256        | max, passed on   | 1056     |
| inception 5a     | 7      | 352 | 192        | 320 | 160           | 224        | average, 128     | 1024     |
| inception 5b     | 7      | 352 | 192        | 320 | 192           | 224        | max, 128         | 1024     |
| average pool     | 1      | then 1000 linear units                                                          |

GoogLeNet with its 5x5 convolutions made two 3x3, and batch normalisation before every ReLU; no dropout, no
LRN.

Differences:
- The paper lists 576 channels for 4c and 4d and 1024 for 4e, which its own branches do not add up to; here
  they are what the branches give, as in the Caffe networks. (TF-slim projects to 96 in 4c and 4d instead.)
- The 7x7 convolution is dense, as in the Caffe networks; the paper's is separable.
- The paper says 13.6 million parameters; its Figure 5 has 11.3 million.
- `conv_bias` adds the biases that batch normalisation makes idle, for the PyTorch weights by R. Cadene, whose
  state_dict keys these are (BGR images, 0 to 255, mean 104, 117, 128).
- The paper does not say how weights start; here by He's rule (fan in), as in the SENet paper's re-training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.initialise import fill, filler
from cnnlab.models.layers import Network, head_alias


@dataclass(frozen=True)
class Row:
    """One inception of Figure 5: the widths of its branches, and what its fourth branch pools by."""

    one: int  # 0: no such branch, and the 3x3 convolutions and the pooling have stride 2
    three_reduce: int
    three: int
    double_reduce: int
    double: int
    pool: Literal["average", "max"]
    projection: int  # 0: the pooled maps are passed on

    @property
    def stride(self) -> int:
        """2 where the maps shrink."""
        return 1 if self.one else 2

    def channels(self, in_channels: int) -> int:
        """What the inception returns: its branches side by side."""
        return self.one + self.three + self.double + (self.projection or in_channels)


FIGURE_5 = {
    "3a": Row(64, 64, 64, 64, 96, "average", 32),
    "3b": Row(64, 64, 96, 64, 96, "average", 64),
    "3c": Row(0, 128, 160, 64, 96, "max", 0),
    "4a": Row(224, 64, 96, 96, 128, "average", 128),
    "4b": Row(192, 96, 128, 96, 128, "average", 128),
    "4c": Row(160, 128, 160, 128, 160, "average", 128),
    "4d": Row(96, 128, 192, 160, 192, "average", 128),
    "4e": Row(0, 128, 192, 192, 256, "max", 0),
    "5a": Row(352, 192, 320, 160, 224, "average", 128),
    "5b": Row(352, 192, 320, 192, 224, "max", 128),
}


class BNInception(Network):
    """Figure 5. Layers lie flat in the network, under Caffe's names, such as `inception_3a_3x3_reduce_bn`."""

    head = "last_linear"
    classifier = head_alias("last_linear")
    idle_biases = True
    smallest_pixels = 7

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, conv_bias: bool = False) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.add_conv("conv1_7x7_s2", in_channels, 64, 7, stride=2, bias=conv_bias)
        self.add_conv("conv2_3x3_reduce", 64, 64, 1, bias=conv_bias)
        self.add_conv("conv2_3x3", 64, 192, 3, bias=conv_bias)
        channels = 192
        for name, row in FIGURE_5.items():
            self.add_inception(f"inception_{name}", row, channels, conv_bias)
            channels = row.channels(channels)
        self.last_linear = nn.Linear(channels, num_classes)
        fill(self, filler("he_fan_in"))

    def add_conv(self, name: str, in_channels: int, channels: int, kernel: int, *, stride: int = 1, bias: bool) -> None:
        """Add a convolution called `name` and its normalisation."""
        conv = nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2, bias=bias)
        self.add_module(name, conv)
        self.add_module(f"{name}_bn", nn.BatchNorm2d(channels))

    def add_inception(self, name: str, row: Row, in_channels: int, bias: bool) -> None:
        """Add the branches of one row of Figure 5."""
        if row.one:
            self.add_conv(f"{name}_1x1", in_channels, row.one, 1, bias=bias)
        self.add_conv(f"{name}_3x3_reduce", in_channels, row.three_reduce, 1, bias=bias)
        self.add_conv(f"{name}_3x3", row.three_reduce, row.three, 3, stride=row.stride, bias=bias)
        self.add_conv(f"{name}_double_3x3_reduce", in_channels, row.double_reduce, 1, bias=bias)
        self.add_conv(f"{name}_double_3x3_1", row.double_reduce, row.double, 3, bias=bias)
        self.add_conv(f"{name}_double_3x3_2", row.double, row.double, 3, stride=row.stride, bias=bias)
        if row.projection:
            self.add_conv(f"{name}_pool_proj", in_channels, row.projection, 1, bias=bias)

    def conv(self, name: str, maps: Tensor) -> Tensor:
        """The convolution called `name`, its normalisation, and ReLU."""
        modules = self._modules
        return F.relu(modules[f"{name}_bn"](modules[name](maps)), inplace=True)  # type: ignore[misc]

    def inception(self, name: str, row: Row, maps: Tensor) -> Tensor:
        """Maps (N, row.channels, H / stride, W / stride) for maps (N, C, H, W)."""
        branches = [self.conv(f"{name}_1x1", maps)] if row.one else []
        branches.append(self.conv(f"{name}_3x3", self.conv(f"{name}_3x3_reduce", maps)))
        double = self.conv(f"{name}_double_3x3_1", self.conv(f"{name}_double_3x3_reduce", maps))
        branches.append(self.conv(f"{name}_double_3x3_2", double))
        if not row.projection:
            odd = (maps.shape[2] % 2, maps.shape[3] % 2)  # padded, so that the maps are as large as the others
            branches.append(F.max_pool2d(maps, 3, stride=2, padding=odd, ceil_mode=True))
        else:
            pool = F.avg_pool2d if row.pool == "average" else F.max_pool2d
            branches.append(self.conv(f"{name}_pool_proj", pool(maps, 3, stride=1, padding=1)))
        return torch.cat(branches, dim=1)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1`, `conv2`, `inception_3a` to `inception_5b` (N, C, H, W) and `pooled` (N, 1024)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        named["conv1"] = maps = self.conv("conv1_7x7_s2", images)
        maps = F.max_pool2d(maps, 3, stride=2, ceil_mode=True)
        named["conv2"] = maps = self.conv("conv2_3x3", self.conv("conv2_3x3_reduce", maps))
        maps = F.max_pool2d(maps, 3, stride=2, ceil_mode=True)
        for name, row in FIGURE_5.items():
            named[f"inception_{name}"] = maps = self.inception(f"inception_{name}", row, maps)
        named["pooled"] = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper."""
        logits: Tensor = self.last_linear(self.features(images)["pooled"])
        return logits


def bn_inception(*, num_classes: int = 1000, in_channels: int = 3, conv_bias: bool = False) -> BNInception:
    """BN-Inception: 11,285,224 parameters, 11,295,240 with `conv_bias`."""
    return BNInception(num_classes=num_classes, in_channels=in_channels, conv_bias=conv_bias)
