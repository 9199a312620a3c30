"""Residual and plain networks for 224x224 images. He et al. 2015 (arXiv:1512.03385), section 3.3, Table 1.

| layer   | output  | 18        | 34        | 50               | 101    | 152    |
|---------|---------|-----------|-----------|------------------|--------|--------|
| conv1   | 112x112 | 7x7, 64, stride 2                                         |
| conv2_x | 56x56   | 3x3 max pool, stride 2, then the blocks                   |
|         |         | 64-64 x2  | 64-64 x3  | 64-64-256 x3     | x3     | x3     |
| conv3_x | 28x28   | 128s x2   | 128s x4   | 128-128-512 x4   | x4     | x8     |
| conv4_x | 14x14   | 256s x2   | 256s x6   | 256-256-1024 x6  | x23    | x36    |
| conv5_x | 7x7     | 512s x2   | 512s x3   | 512-512-2048 x3  | x3     | x3     |
|         | 1x1     | average pool, 1000-way fully-connected, softmax           |

A basic block is two 3x3 convolutions, a bottleneck 1x1, 3x3, 1x1; batch normalisation follows each. A plain
network is the same without the additions. Shortcuts: A, B and C as in `resnet_cifar`; B is the default, as
in the paper's 50 to 152. `resnet50`, `101`, `152` put the stride of conv3_1, conv4_1 and conv5_1 on the 3x3
convolution ("v1.5", as fb.resnet.torch and torchvision do and the official weights expect); `resnet50_v1`,
... on the first 1x1 as the paper does: the same parameters, 2 to 6% fewer MACs, and not the same network.

Differences:
- ResNet-18 and 34 default to B as torchvision; the paper's Table 2 nets are A (`shortcut="A"`). Option A
  puts half of the zero channels before and half after the identity; the paper does not say where they go.
- Convolutions start from He's normal with the outputs as n (fb.resnet.torch, torchvision); the paper says
  "as in [13]", whose two forms differ only in n. The classifier starts as torch's linear layers do.
- The released Caffe nets pool 3x3/2 unpadded with ceil (`pool="ceil"` of the `_v1` networks), and their
  ResNet-50 has a bias in conv1; here padding 1.
- Any image size works; the paper's is 224.
- Stochastic depth (off by default) is from another paper, see `stochastic_depth`.
- state_dict keys and forward are torchvision's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, he_convolutions, head_alias, normed
from cnnlab.models.resnet_cifar import Shortcut, shortcut_for
from cnnlab.models.stochastic_depth import add_branch, set_stochastic_depth

WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions in conv2_x to conv5_x
BLOCKS = {  # layers: blocks in conv2_x, conv3_x, conv4_x, conv5_x (Table 1)
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
StrideOn = Literal["1x1", "3x3"]
Pool = Literal["padded", "ceil", "none"]
MakeBlock = Callable[[int, int, int], nn.Module]  # in_channels, channels of the 3x3, stride


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each batch-normalised, and a shortcut added before the last ReLU (Figure 5 left).

    `shortcut` None leaves the addition out. `survival` is for stochastic depth.
    """

    expansion = 1
    survival: float = 1.0

    def __init__(self, in_channels: int, channels: int, stride: int, *, shortcut: Shortcut | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.plain = shortcut is None
        self.downsample = shortcut_for(shortcut, in_channels, channels, stride) if shortcut else None

    def branch(self, images: Tensor) -> Tensor:
        """F(x) of equation 1: maps (N, channels, H / stride, W / stride)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        residual: Tensor = self.bn2(self.conv2(maps))
        return residual

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        if self.plain:
            return F.relu(self.branch(images), inplace=True)
        shortcut = images if self.downsample is None else self.downsample(images)
        maps = add_branch(shortcut, self.branch, images, self.survival, self.training)
        return F.relu(maps, inplace=self.survival == 1.0)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each batch-normalised, and a shortcut (Figure 5 right).

    `stride_on` is "1x1" for the paper's network (v1), "3x3" for torchvision's (v1.5).
    """

    expansion = 4
    survival: float = 1.0

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        *,
        shortcut: Shortcut,
        stride_on: StrideOn,
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut_for(shortcut, in_channels, out_channels, stride)

    def branch(self, images: Tensor) -> Tensor:
        """F(x) of equation 1: maps (N, 4 channels, H / stride, W / stride)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        residual: Tensor = self.bn3(self.conv3(maps))
        return residual

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        shortcut = images if self.downsample is None else self.downsample(images)
        maps = add_branch(shortcut, self.branch, images, self.survival, self.training)
        return F.relu(maps, inplace=self.survival == 1.0)


class ResNet(Network):
    """Table 1 around any residual block; the papers that change only the block build on it.

    `make_block(in_channels, channels, stride)` makes a block with `expansion * channels` outputs.
    """

    head = "fc"
    classifier = head_alias("fc")
    idle_biases = True

    def __init__(
        self,
        make_block: MakeBlock,
        expansion: int,
        blocks: tuple[int, ...],
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        stochastic_depth: float = 0.0,
        pool: Pool = "padded",
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        outputs = [64, *(width * expansion for width in WIDTHS)]
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = max_pool(pool)
        self.layer1 = stage(make_block, blocks[0], outputs[0], WIDTHS[0], outputs[1], 1)
        self.layer2 = stage(make_block, blocks[1], outputs[1], WIDTHS[1], outputs[2], 2)
        self.layer3 = stage(make_block, blocks[2], outputs[2], WIDTHS[2], outputs[3], 2)
        self.layer4 = stage(make_block, blocks[3], outputs[3], WIDTHS[3], outputs[4], 2)
        self.fc = nn.Linear(outputs[4], num_classes)
        he_convolutions(self)
        if stochastic_depth:
            set_stochastic_depth([*self.layer1, *self.layer2, *self.layer3, *self.layer4], stochastic_depth)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem` (after the max pool), `layer1` to `layer4` (conv2_x to conv5_x) and `pooled` (N, C)."""
        self.check_images(images)
        stem = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        pooled = layer4.mean(dim=(2, 3))
        return {
            "stem": stem,
            "layer1": layer1,
            "layer2": layer2,
            "layer3": layer3,
            "layer4": layer4,
            "pooled": pooled,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper, any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def max_pool(pool: Pool) -> nn.Module:
    """The max pool after the stem: torchvision's, padded by 1; Caffe's, unpadded and rounded up; or none."""
    if pool not in ("padded", "ceil", "none"):
        raise UsageError(f"no pool {pool!r}; known: 'padded' (torchvision), 'ceil' (Caffe) and 'none'")
    if pool == "none":
        return nn.Identity()
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=int(pool == "padded"), ceil_mode=pool == "ceil")


def stage(
    make_block: MakeBlock, blocks: int, in_channels: int, channels: int, out_channels: int, stride: int
) -> nn.Sequential:
    """`blocks` blocks in a row, the first of which changes width and, with `stride` 2, halves the maps."""
    first = make_block(in_channels, channels, stride)
    return nn.Sequential(first, *(make_block(out_channels, channels, 1) for _ in range(blocks - 1)))


def _basic(
    layers: int, shortcut: Shortcut | None, num_classes: int, in_channels: int, stochastic_depth: float
) -> ResNet:
    _check_shortcut(shortcut)
    make_block = partial(BasicBlock, shortcut=shortcut)
    return ResNet(
        make_block,
        BasicBlock.expansion,
        BLOCKS[layers],
        num_classes=num_classes,
        in_channels=in_channels,
        stochastic_depth=stochastic_depth,
    )


def _bottleneck(
    layers: int,
    stride_on: StrideOn,
    shortcut: Shortcut,
    num_classes: int,
    in_channels: int,
    stochastic_depth: float,
    pool: Pool = "padded",
) -> ResNet:
    _check_shortcut(shortcut)
    make_block = partial(Bottleneck, shortcut=shortcut, stride_on=stride_on)
    return ResNet(
        make_block,
        Bottleneck.expansion,
        BLOCKS[layers],
        num_classes=num_classes,
        in_channels=in_channels,
        stochastic_depth=stochastic_depth,
        pool=pool,
    )


def _check_shortcut(shortcut: Shortcut | None) -> None:
    if shortcut not in (None, "A", "B", "C"):
        raise UsageError(f"no shortcut option {shortcut!r}; known: 'A', 'B' and 'C'")


def resnet18(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
) -> ResNet:
    """ResNet-18, 11,689,512 parameters with option B."""
    return normed(_basic(18, shortcut, num_classes, in_channels, stochastic_depth), norm)


def resnet34(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
) -> ResNet:
    """ResNet-34, 21,797,672 parameters with option B."""
    return normed(_basic(34, shortcut, num_classes, in_channels, stochastic_depth), norm)


def resnet50(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
) -> ResNet:
    """ResNet-50, 25,557,032 parameters with option B; stride on the 3x3 (v1.5)."""
    return normed(_bottleneck(50, "3x3", shortcut, num_classes, in_channels, stochastic_depth), norm)


def resnet101(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
) -> ResNet:
    """ResNet-101, 44,549,160 parameters with option B; stride on the 3x3 (v1.5)."""
    return normed(_bottleneck(101, "3x3", shortcut, num_classes, in_channels, stochastic_depth), norm)


def resnet152(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
) -> ResNet:
    """ResNet-152, 60,192,808 parameters with option B; stride on the 3x3 (v1.5)."""
    return normed(_bottleneck(152, "3x3", shortcut, num_classes, in_channels, stochastic_depth), norm)


def resnet50_v1(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
    pool: Pool = "padded",
) -> ResNet:
    """ResNet-50 as in the paper, the stride on the first 1x1; 25,557,032 parameters with option B."""
    return normed(_bottleneck(50, "1x1", shortcut, num_classes, in_channels, stochastic_depth, pool), norm)


def resnet101_v1(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
    pool: Pool = "padded",
) -> ResNet:
    """ResNet-101 as in the paper, the stride on the first 1x1; 44,549,160 parameters with option B."""
    return normed(_bottleneck(101, "1x1", shortcut, num_classes, in_channels, stochastic_depth, pool), norm)


def resnet152_v1(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    norm: bool = True,
    shortcut: Shortcut = "B",
    stochastic_depth: float = 0.0,
    pool: Pool = "padded",
) -> ResNet:
    """ResNet-152 as in the paper, the stride on the first 1x1; 60,192,808 parameters with option B."""
    return normed(_bottleneck(152, "1x1", shortcut, num_classes, in_channels, stochastic_depth, pool), norm)


def plain18(*, num_classes: int = 1000, in_channels: int = 3, norm: bool = True) -> ResNet:
    """ResNet-18 without the additions, 11,515,688 parameters (Figure 3 middle)."""
    return normed(_basic(18, None, num_classes, in_channels, 0.0), norm)


def plain34(*, num_classes: int = 1000, in_channels: int = 3, norm: bool = True) -> ResNet:
    """ResNet-34 without the additions, 21,623,848 parameters (Figure 3 middle)."""
    return normed(_basic(34, None, num_classes, in_channels, 0.0), norm)
