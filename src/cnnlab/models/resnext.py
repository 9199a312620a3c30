"""ResNeXt. Xie et al. 2016 (arXiv:1611.05431), Table 1 and section 5.

ResNet whose bottleneck's 3x3 is a grouped convolution: C groups ("cardinality") of width d in the first
stage, doubling each stage; block form (c) of Figure 3.

| stage | output | ResNet-50       | ResNeXt-50 (32x4d)      |
|-------|--------|-----------------|-------------------------|
| conv2 | 56x56  | 64-64-256 x3    | 128-128-256 x3, C=32    |
| conv3 | 28x28  | 128-128-512 x4  | 256-256-512 x4, C=32    |
| conv4 | 14x14  | 256-256-1024 x6 | 512-512-1024 x6, C=32   |
| conv5 | 7x7    | 512-512-2048 x3 | 1024-1024-2048 x3, C=32 |

For 32x32 images (section 5.3): 3x3, 64, then three stages of three blocks with outputs 256, 512, 1024,
inner width C d, 2 C d, 4 C d; 29 layers.

Differences:
- None from the paper known. The stride is on the grouped 3x3, as in the paper's code; keys and forward of
  the 224 networks are torchvision's (timm's for `resnext101_32x4d`).
- `resnext_cifar` has any depth, groups and widths; `stem="1x1"` is kuangliu/pytorch-cifar's (2x64d and 32x4d).
- The CIFAR networks' shortcuts are 1x1 convolutions with batch normalisation where the shape changes.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, he_convolutions, head_alias
from cnnlab.models.resnet import BLOCKS, ResNet, stage
from cnnlab.models.resnet_cifar import blocks_of

Stem = Literal["3x3", "1x1"]
STEMS = {"3x3": 3, "1x1": 1}  # the side of the first kernels


class GroupedBottleneck(nn.Module):
    """1x1, grouped 3x3 and 1x1 convolutions, each batch-normalised, and a shortcut (Figure 3c).

    `channels` is the width of ResNet's block, 64 in the first stage; inside, this one is
    `groups` x `group_width` x `channels` / 64 wide.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, *, groups: int, group_width: int) -> None:
        super().__init__()
        width, out_channels = groups * (group_width * channels // 64), 4 * channels
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        maps = self.bn3(self.conv3(maps))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


class CifarResNeXt(Network):
    """ResNeXt-29 and its kin for 32x32 images: 9n + 2 layers."""

    head = "fc"
    classifier = head_alias("fc")
    idle_biases = True

    def __init__(
        self,
        groups: int,
        group_width: int,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        stem: Stem = "3x3",
        layers: int = 29,
    ) -> None:
        super().__init__()
        blocks = blocks_of(layers, 9)
        if stem not in STEMS:
            raise UsageError(f"no stem {stem!r}; known: {', '.join(map(repr, STEMS))}")
        self.num_classes, self.in_channels = num_classes, in_channels
        make_block = partial(GroupedBottleneck, groups=groups, group_width=group_width)
        self.conv1 = nn.Conv2d(in_channels, 64, STEMS[stem], padding=STEMS[stem] // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(make_block, blocks, 64, 64, 256, 1)
        self.layer2 = stage(make_block, blocks, 256, 128, 512, 2)
        self.layer3 = stage(make_block, blocks, 512, 256, 1024, 2)
        self.fc = nn.Linear(1024, num_classes)
        he_convolutions(self)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1`, `layer2`, `layer3` (N, C, H, W) and `pooled` (N, 1024)."""
        self.check_images(images)
        stem = F.relu(self.bn1(self.conv1(images)), inplace=True)
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        pooled = layer3.mean(dim=(2, 3))
        return {"stem": stem, "layer1": layer1, "layer2": layer2, "layer3": layer3, "pooled": pooled}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 32x32 in the paper, any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _imagenet(layers: int, groups: int, group_width: int, num_classes: int, in_channels: int) -> ResNet:
    make_block = partial(GroupedBottleneck, groups=groups, group_width=group_width)
    return ResNet(make_block, 4, BLOCKS[layers], num_classes=num_classes, in_channels=in_channels)


def resnext50_32x4d(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-50, 32 groups of width 4: 25,028,904 parameters."""
    return _imagenet(50, 32, 4, num_classes, in_channels)


def resnext101_32x4d(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, 32 groups of width 4: 44,177,704 parameters."""
    return _imagenet(101, 32, 4, num_classes, in_channels)


def resnext101_32x8d(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, 32 groups of width 8: 88,791,336 parameters (not in the paper)."""
    return _imagenet(101, 32, 8, num_classes, in_channels)


def resnext101_64x4d(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNeXt-101, 64 groups of width 4: 83,455,272 parameters."""
    return _imagenet(101, 64, 4, num_classes, in_channels)


def resnext29_8x64d(*, num_classes: int = 10, in_channels: int = 3) -> CifarResNeXt:
    """ResNeXt-29, 8 groups of width 64: 34,426,698 parameters."""
    return CifarResNeXt(8, 64, num_classes=num_classes, in_channels=in_channels)


def resnext29_16x64d(*, num_classes: int = 10, in_channels: int = 3) -> CifarResNeXt:
    """ResNeXt-29, 16 groups of width 64: 68,155,210 parameters."""
    return CifarResNeXt(16, 64, num_classes=num_classes, in_channels=in_channels)


def resnext_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    layers: int = 29,
    groups: int = 8,
    group_width: int = 64,
    stem: Stem = "3x3",
) -> CifarResNeXt:
    """ResNeXt of any depth and groups: 34,426,698 parameters as it stands, the same network as `resnext29_8x64d`."""
    return CifarResNeXt(groups, group_width, num_classes=num_classes, in_channels=in_channels, stem=stem, layers=layers)
