"""Squeeze-and-excitation networks. Hu et al. 2017 (arXiv:1709.01507), section 3, Table 1 and the appendix.

An SE block averages each map, passes the averages through a small bottleneck of two fully-connected layers
(C / 16 units, ReLU, then C, sigmoid) and scales the maps with the result (Figure 1). In a residual network
it stands on the branch, after its last batch normalisation and before the addition (Figure 3); in Inception
on a module's output.

| output  | SE-ResNet-50 (Table 1)      | SENet-154 (appendix)                         |
|---------|-----------------------------|----------------------------------------------|
| 112x112 | 7x7, 64, stride 2           | 3x3, 64, stride 2; 3x3, 64; 3x3, 128         |
| 56x56   | 3x3 max pool, stride 2      | 3x3 max pool, stride 2                       |
| 56x56   | 64-64-256, SE 16, x3        | 128-256-256 in 64 groups, SE 16, x3          |
| 28x28   | 128-128-512, SE 32, x4      | 256-512-512 in 64 groups, SE 32, x8          |
| 14x14   | 256-256-1024, SE 64, x6     | 512-1024-1024 in 64 groups, SE 64, x36       |
| 7x7     | 512-512-2048, SE 128, x3    | 1024-2048-2048 in 64 groups, SE 128, x3      |
| 1x1     | average pool, fully-connected | average pool, dropout 0.2, fully-connected |

SE-ResNet-101 and 152 have ResNet's block counts. SENet-154 shortens stages 2 to 4 with a 3x3 convolution,
stride 2.

`seresnet50`, `101`, `152` are timm's modern networks (stride on the 3x3, keys `se.fc1`).
`legacy_seresnet50`, ... and `senet154` are the authors' release as ported to PyTorch (timm's `legacy_*`,
keys `se_module.fc1`, `last_linear`): the stride on the first 1x1 (not in SENet-154) and an unpadded max
pool that rounds up.

Differences:
- Fully-connected layers are 1x1 convolutions, as in the released files.
- timm builds its legacy SE-ResNets with dropout 0.2 before the classifier; the paper names it for SENet-154
  only, so here `dropout` is 0 for the others.
- Convolutions start from He's normal with the outputs as n, as in timm (which also starts the last norm of
  a block of `seresnet50` at 0; here at 1).
- `seresnet20` is the CIFAR network of He et al. 2015 with an SE block on each branch, in the manner of section 6.1,
  which does so to deeper ones (110 and 164 layers).
- `se_bn_inception` is in neither torchvision nor timm; its keys are `bn_inception`'s and `inception_3a_se.fc1`, ...
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.bn_inception import FIGURE_5, BNInception, Row
from cnnlab.models.layers import Network, he_convolutions, head_alias
from cnnlab.models.resnet import BLOCKS, WIDTHS, ResNet
from cnnlab.models.resnet_cifar import BasicBlock, CifarResNet, Shortcut

REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """Scales each map by a number in (0, 1) computed from the averages of all maps (equations 2 to 4)."""

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise UsageError(f"a reduction by {reduction} of {channels} channels; give 1 to {channels}")
        self.fc1 = nn.Conv2d(channels, channels // reduction, kernel_size=1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, kernel_size=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) for maps (N, C, H, W)."""
        squeezed = maps.mean(dim=(2, 3), keepdim=True)
        excited = self.fc2(F.relu(self.fc1(squeezed), inplace=True))
        return maps * torch.sigmoid(excited)


def projection(in_channels: int, out_channels: int, stride: int, kernel_size: int = 1) -> nn.Sequential | None:
    """The shortcut of a block that changes shape, or None where it is the identity."""
    if stride == 1 and in_channels == out_channels:
        return None
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


class SEBottleneck(nn.Module):
    """ResNet's bottleneck, the stride on its 3x3, with an SE block on the branch (Figure 3)."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se = SqueezeExcitation(out_channels)
        self.downsample = projection(in_channels, out_channels, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        maps = self.se(self.bn3(self.conv3(maps)))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


class LegacyBlock(nn.Module):
    """What the released blocks share: three convolutions, SE, shortcut."""

    expansion = 4
    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d
    conv2: nn.Conv2d
    bn2: nn.BatchNorm2d
    conv3: nn.Conv2d
    bn3: nn.BatchNorm2d
    se_module: SqueezeExcitation
    downsample: nn.Sequential | None

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        maps = self.se_module(self.bn3(self.conv3(maps)))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


class LegacySEResNetBottleneck(LegacyBlock):
    """ResNet's bottleneck with the stride on the first 1x1, as released, and an SE block."""

    def __init__(self, in_channels: int, channels: int, stride: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se_module = SqueezeExcitation(out_channels, reduction)
        self.downsample = projection(in_channels, out_channels, stride)


class CifarSEBlock(BasicBlock):
    """The block of ResNet-20 with an SE block on its branch, before the addition."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, shortcut: Shortcut | None, *, reduction: int
    ) -> None:
        super().__init__(in_channels, channels, stride, shortcut)
        self.se = SqueezeExcitation(channels, reduction)

    def branch(self, images: Tensor) -> Tensor:
        """What is added to the shortcut, each map scaled by its gate."""
        scaled: Tensor = self.se(super().branch(images))
        return scaled


class SENet154Bottleneck(LegacyBlock):
    """SENet-154's block: 1x1 to 2 x channels, 3x3 in 64 groups to 4 x channels, 1x1 to 4 x channels, SE."""

    groups = 64

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        width, out_channels = 2 * channels, 4 * channels
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, out_channels, kernel_size=3, stride=stride, padding=1, groups=self.groups, bias=False
        )
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv3 = nn.Conv2d(out_channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se_module = SqueezeExcitation(out_channels)
        self.downsample = projection(in_channels, out_channels, stride, kernel_size=1 if stride == 1 else 3)


class LegacySENet(Network):
    """The authors' released network around one of the legacy blocks."""

    head = "last_linear"
    classifier = head_alias("last_linear")
    smallest_pixels = 3  # below, the unpadded max pool has nothing to pool

    def __init__(
        self,
        block: Callable[[int, int, int], LegacyBlock],
        blocks: tuple[int, ...],
        *,
        three_3x3: bool,
        dropout: float,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels, self.dropout = num_classes, in_channels, dropout
        self.layer0 = _three_3x3(in_channels) if three_3x3 else _one_7x7(in_channels)
        self.pool0 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        stem_channels = 128 if three_3x3 else 64
        self.layer1 = _stage(block, blocks[0], stem_channels, WIDTHS[0], 1)
        self.layer2 = _stage(block, blocks[1], 4 * WIDTHS[0], WIDTHS[1], 2)
        self.layer3 = _stage(block, blocks[2], 4 * WIDTHS[1], WIDTHS[2], 2)
        self.layer4 = _stage(block, blocks[3], 4 * WIDTHS[2], WIDTHS[3], 2)
        self.last_linear = nn.Linear(4 * WIDTHS[3], num_classes)
        he_convolutions(self)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem` (after the max pool), `layer1` to `layer4` (N, C, H, W) and `pooled` (N, 2048)."""
        self.check_images(images)
        stem = self.pool0(self.layer0(images))
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        stages = {"layer1": layer1, "layer2": layer2, "layer3": layer3, "layer4": layer4}
        return {"stem": stem, **stages, "pooled": layer4.mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper."""
        pooled = F.dropout(self.features(images)["pooled"], self.dropout, self.training)
        logits: Tensor = self.last_linear(pooled)
        return logits


def _one_7x7(in_channels: int) -> nn.Sequential:
    conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    layers = OrderedDict[str, nn.Module](conv1=conv1, bn1=nn.BatchNorm2d(64), relu1=nn.ReLU(inplace=True))
    return nn.Sequential(layers)


def _three_3x3(in_channels: int) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module]()
    channels = in_channels
    for number, (width, stride) in enumerate([(64, 2), (64, 1), (128, 1)], start=1):
        layers[f"conv{number}"] = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        layers[f"bn{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        channels = width
    return nn.Sequential(layers)


def _stage(
    block: Callable[[int, int, int], LegacyBlock], blocks: int, in_channels: int, channels: int, stride: int
) -> nn.Sequential:
    first = block(in_channels, channels, stride)
    return nn.Sequential(first, *(block(4 * channels, channels, 1) for _ in range(blocks - 1)))


def _legacy_seresnet(
    layers: int, dropout: float, num_classes: int, in_channels: int, reduction: int = REDUCTION
) -> LegacySENet:
    return LegacySENet(
        partial(LegacySEResNetBottleneck, reduction=reduction),
        BLOCKS[layers],
        three_3x3=False,
        dropout=dropout,
        num_classes=num_classes,
        in_channels=in_channels,
    )


class SEBNInception(BNInception):
    """BN-Inception with an SE block on the output of each of its ten inceptions (Figure 2)."""

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__(num_classes=num_classes, in_channels=in_channels)
        channels = 192
        for name, row in FIGURE_5.items():
            channels = row.channels(channels)
            block = SqueezeExcitation(channels)
            he_convolutions(block)
            self.add_module(f"inception_{name}_se", block)

    def inception(self, name: str, row: Row, maps: Tensor) -> Tensor:
        """Maps (N, row.channels, H / stride, W / stride) for maps (N, C, H, W), each scaled by its gate."""
        scaled: Tensor = self.get_submodule(f"{name}_se")(super().inception(name, row, maps))
        return scaled


def seresnet50(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """SE-ResNet-50, stride on the 3x3: 28,088,024 parameters."""
    return ResNet(SEBottleneck, 4, BLOCKS[50], num_classes=num_classes, in_channels=in_channels)


def seresnet101(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """SE-ResNet-101, stride on the 3x3: 49,326,872 parameters."""
    return ResNet(SEBottleneck, 4, BLOCKS[101], num_classes=num_classes, in_channels=in_channels)


def seresnet152(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """SE-ResNet-152, stride on the 3x3: 66,821,848 parameters."""
    return ResNet(SEBottleneck, 4, BLOCKS[152], num_classes=num_classes, in_channels=in_channels)


def legacy_seresnet50(
    *, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3, reduction: int = REDUCTION
) -> LegacySENet:
    """SE-ResNet-50 as released, stride on the first 1x1: 28,088,024 parameters."""
    return _legacy_seresnet(50, dropout, num_classes, in_channels, reduction)


def legacy_seresnet101(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3) -> LegacySENet:
    """SE-ResNet-101 as released, stride on the first 1x1: 49,326,872 parameters."""
    return _legacy_seresnet(101, dropout, num_classes, in_channels)


def legacy_seresnet152(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3) -> LegacySENet:
    """SE-ResNet-152 as released, stride on the first 1x1: 66,821,848 parameters."""
    return _legacy_seresnet(152, dropout, num_classes, in_channels)


def se_bn_inception(*, num_classes: int = 1000, in_channels: int = 3) -> SEBNInception:
    """SE-BN-Inception: 11,931,622 parameters."""
    return SEBNInception(num_classes=num_classes, in_channels=in_channels)


def senet154(*, dropout: float = 0.2, num_classes: int = 1000, in_channels: int = 3) -> LegacySENet:
    """SENet-154, the winner of ILSVRC 2017: 115,088,984 parameters."""
    return LegacySENet(
        SENet154Bottleneck,
        BLOCKS[152],
        three_3x3=True,
        dropout=dropout,
        num_classes=num_classes,
        in_channels=in_channels,
    )


def seresnet20(*, num_classes: int = 10, in_channels: int = 3, reduction: int = REDUCTION) -> CifarResNet:
    """ResNet-20 for 32x32 images with SE blocks: 272,095 parameters. The paper has deeper ones."""
    block = partial(CifarSEBlock, reduction=reduction)
    return CifarResNet(20, block=block, num_classes=num_classes, in_channels=in_channels)
