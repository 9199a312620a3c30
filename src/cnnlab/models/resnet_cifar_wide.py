"""ResNet-18 and 34 with a 3x3 stem, for 32x32 images: the networks tutorials call "ResNet-18 for CIFAR-10".

No paper: Table 1 of He et al. 2015 (arXiv:1512.03385) with its first stage made for small images, as in the
public repository kuangliu/pytorch-cifar and in DAWNBench. Not to be confused with the paper's own networks
for CIFAR, whose stages have a quarter of the channels or less, in `resnet_cifar`.

| map size  | 32x32   | 32x32       | 16x16         | 8x8           | 4x4           |
|-----------|---------|-------------|---------------|---------------|---------------|
| ResNet-18 | 3x3, 64 | 64-64 x2    | 128-128 x2    | 256-256 x2    | 512-512 x2    |
| ResNet-34 | 3x3, 64 | 64-64 x3    | 128-128 x4    | 256-256 x6    | 512-512 x3    |

Differences:
- state_dict keys are torchvision's ResNet's; in kuangliu's files `downsample` is `shortcut` and `fc` is
  `linear`.
- Convolutions start as in `resnet`; kuangliu's start as torch's do.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from cnnlab.models.layers import he_convolutions
from cnnlab.models.resnet import BLOCKS, BasicBlock, ResNet


class SmallImageResNet(ResNet):
    """Basic blocks behind a 3x3 convolution of stride 1 and no max pool."""

    def __init__(
        self, layers: int, *, num_classes: int = 10, in_channels: int = 3, stochastic_depth: float = 0.0
    ) -> None:
        super().__init__(
            partial(BasicBlock, shortcut="B"),
            BasicBlock.expansion,
            BLOCKS[layers],
            num_classes=num_classes,
            in_channels=in_channels,
            stochastic_depth=stochastic_depth,
        )
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        self.maxpool = nn.Identity()
        he_convolutions(self.conv1)


def resnet18_cifar(*, num_classes: int = 10, in_channels: int = 3, stochastic_depth: float = 0.0) -> SmallImageResNet:
    """ResNet-18 with a 3x3 stem, 11,173,962 parameters."""
    return SmallImageResNet(18, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth)


def resnet34_cifar(*, num_classes: int = 10, in_channels: int = 3, stochastic_depth: float = 0.0) -> SmallImageResNet:
    """ResNet-34 with a 3x3 stem, 21,282,122 parameters."""
    return SmallImageResNet(34, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth)
