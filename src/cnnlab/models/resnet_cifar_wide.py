"""ResNet-18 to 152 with a 3x3 stem, for 32x32 images: the networks tutorials call "ResNet-18 for CIFAR-10".

No paper: Table 1 of He et al. 2015 (arXiv:1512.03385) with its first stage made for small images, as in the
public repository kuangliu/pytorch-cifar and in DAWNBench. Not to be confused with the paper's own networks
for CIFAR, whose stages have a quarter of the channels or less, in `resnet_cifar`.

| map size   | 32x32       | 32x32         | 16x16          | 8x8             | 4x4             |
|------------|-------------|---------------|----------------|-----------------|-----------------|
| ResNet-18  | 3x3, 64     | 64-64 x2      | 128-128 x2     | 256-256 x2      | 512-512 x2      |
| ResNet-34  | 3x3, 64     | 64-64 x3      | 128-128 x4     | 256-256 x6      | 512-512 x3      |
| ResNet-50  | 3x3, 64     | 64-64-256 x3  | 128-128-512 x4 | 256-256-1024 x6 | 512-512-2048 x3 |

ResNet-101 and 152 have 23 and 36 blocks in the third stage, and 152 has 8 in the second.

Differences:
- state_dict keys are torchvision's ResNet's; in kuangliu's files `downsample` is `shortcut` and `fc` is
  `linear`.
- Convolutions start as in `resnet`; kuangliu's start as torch's do.
- `pool="padded"` keeps ImageNet's max pool behind the 3x3 stem, as huyvnphan/PyTorch_CIFAR10 does: another
  network with the same entries.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from cnnlab.models.layers import he_convolutions, normed
from cnnlab.models.resnet import BLOCKS, BasicBlock, Bottleneck, MakeBlock, Pool, ResNet


class SmallImageResNet(ResNet):
    """Blocks of ResNet behind a 3x3 convolution of stride 1; no max pool unless `pool` says so."""

    def __init__(self, layers: int, *, num_classes: int, in_channels: int, stochastic_depth: float, pool: Pool) -> None:
        basic = layers < 50
        make_block: MakeBlock = (
            partial(BasicBlock, shortcut="B") if basic else partial(Bottleneck, shortcut="B", stride_on="3x3")
        )
        super().__init__(
            make_block,
            BasicBlock.expansion if basic else Bottleneck.expansion,
            BLOCKS[layers],
            num_classes=num_classes,
            in_channels=in_channels,
            stochastic_depth=stochastic_depth,
            pool=pool,
        )
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        he_convolutions(self.conv1)


def resnet18_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    stochastic_depth: float = 0.0,
    pool: Pool = "none",
) -> SmallImageResNet:
    """ResNet-18 with a 3x3 stem, 11,173,962 parameters."""
    return normed(
        SmallImageResNet(
            18, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth, pool=pool
        ),
        norm,
    )


def resnet34_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    stochastic_depth: float = 0.0,
    pool: Pool = "none",
) -> SmallImageResNet:
    """ResNet-34 with a 3x3 stem, 21,282,122 parameters."""
    return normed(
        SmallImageResNet(
            34, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth, pool=pool
        ),
        norm,
    )


def resnet50_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    stochastic_depth: float = 0.0,
    pool: Pool = "none",
) -> SmallImageResNet:
    """ResNet-50 with a 3x3 stem, 23,520,842 parameters."""
    return normed(
        SmallImageResNet(
            50, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth, pool=pool
        ),
        norm,
    )


def resnet101_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    stochastic_depth: float = 0.0,
    pool: Pool = "none",
) -> SmallImageResNet:
    """ResNet-101 with a 3x3 stem, 42,512,970 parameters."""
    return normed(
        SmallImageResNet(
            101, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth, pool=pool
        ),
        norm,
    )


def resnet152_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    stochastic_depth: float = 0.0,
    pool: Pool = "none",
) -> SmallImageResNet:
    """ResNet-152 with a 3x3 stem, 58,156,618 parameters."""
    return normed(
        SmallImageResNet(
            152, num_classes=num_classes, in_channels=in_channels, stochastic_depth=stochastic_depth, pool=pool
        ),
        norm,
    )
