"""Res2Net. Gao et al. 2019 (arXiv:1904.01169), Figure 2 and section 4.1.

ResNet-50 or 101 whose bottleneck's 3x3 becomes a hierarchy: the maps after the first 1x1 split into s
("scale") slices of width w; the first passes a 3x3 convolution, each next one is added to the result before
it and passes its own, the last is kept as it is; all are joined for the second 1x1. `26w_4s` means w = 26
in the first stage, s = 4.

| name           | w  | s | parameters |
|----------------|----|---|------------|
| Res2Net-50     | 26 | 4 | 25.7M      |
|                | 14 | 8 | 25.1M      |
|                | 26 | 6 | 37.1M      |
|                | 26 | 8 | 48.4M      |
|                | 48 | 2 | 25.3M      |
| Res2Net-101    | 26 | 4 | 45.2M      |

Differences:
- From the figure, as in the authors' code: the convolution is on the first s - 1 slices and the last passes
  as it is (the figure passes the first); in the first block of a stage slices are not added to the result
  before, and the kept slice is averaged over 3x3 (zeros of the border counted) with the stage's stride.
- state_dict keys and forward are timm's.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.resnet import BLOCKS, ResNet


class Bottle2neck(nn.Module):
    """1x1, `scale` slices with a 3x3 convolution on all but the last, 1x1, and a shortcut (Figure 2b).

    `channels` is the width of ResNet's block, 64 in the first stage; slices are `width` x `channels` / 64
    wide.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, *, width: int, scale: int) -> None:
        super().__init__()
        self.width, out_channels = width * channels // 64, 4 * channels
        changes = stride != 1 or in_channels != out_channels
        self.conv1 = nn.Conv2d(in_channels, self.width * scale, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(self.width * scale)
        convs = [self._conv3x3(stride) for _ in range(scale - 1)]
        self.convs = nn.ModuleList(convs)
        self.bns = nn.ModuleList(nn.BatchNorm2d(self.width) for _ in convs)
        self.pool = nn.AvgPool2d(kernel_size=3, stride=stride, padding=1) if changes else None
        self.conv3 = nn.Conv2d(self.width * scale, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if changes:
            projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def _conv3x3(self, stride: int) -> nn.Conv2d:
        return nn.Conv2d(self.width, self.width, kernel_size=3, stride=stride, padding=1, bias=False)

    def hierarchy(self, maps: Tensor) -> Tensor:
        """Maps (N, scale * width, H / stride, W / stride) for maps (N, scale * width, H, W)."""
        *slices, kept = torch.split(maps, self.width, dim=1)
        results: list[Tensor] = []
        for piece, conv, bn in zip(slices, self.convs, self.bns, strict=True):
            joined = piece if self.pool is not None or not results else results[-1] + piece
            results.append(F.relu(bn(conv(joined)), inplace=True))
        return torch.cat([*results, kept if self.pool is None else self.pool(kept)], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = self.bn3(self.conv3(self.hierarchy(maps)))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


def _res2net(layers: int, width: int, scale: int, num_classes: int, in_channels: int) -> ResNet:
    make_block = partial(Bottle2neck, width=width, scale=scale)
    return ResNet(make_block, 4, BLOCKS[layers], num_classes=num_classes, in_channels=in_channels)


def res2net50_26w_4s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-50, four slices of 26: 25,699,120 parameters."""
    return _res2net(50, 26, 4, num_classes, in_channels)


def res2net50_14w_8s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-50, eight slices of 14: 25,059,816 parameters."""
    return _res2net(50, 14, 8, num_classes, in_channels)


def res2net50_26w_6s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-50, six slices of 26: 37,051,448 parameters."""
    return _res2net(50, 26, 6, num_classes, in_channels)


def res2net50_26w_8s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-50, eight slices of 26: 48,403,776 parameters."""
    return _res2net(50, 26, 8, num_classes, in_channels)


def res2net50_48w_2s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-50, two slices of 48: 25,287,304 parameters."""
    return _res2net(50, 48, 2, num_classes, in_channels)


def res2net101_26w_4s(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """Res2Net-101, four slices of 26: 45,206,688 parameters."""
    return _res2net(101, 26, 4, num_classes, in_channels)
