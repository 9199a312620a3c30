"""Wide residual networks. Zagoruyko and Komodakis 2016 (arXiv:1605.07146), Table 1 and section 3.

WRN-d-k for 32x32 images, pre-activation blocks B(3,3), n = (d - 4) / 6 blocks a group, width factor k:

| group      | map   | blocks                  |
|------------|-------|-------------------------|
| conv1      | 32x32 | 3x3, 16                 |
| conv2      | 32x32 | 3x3, 16k; 3x3, 16k; x n |
| conv3      | 16x16 | 3x3, 32k; 3x3, 32k; x n |
| conv4      | 8x8   | 3x3, 64k; 3x3, 64k; x n |
| avg-pool   | 1x1   |                         |

Dropout, where used (0.3), stands between the two convolutions. For ImageNet (section 3.4), WRN-50-2 and
WRN-101-2 are ResNet-50 and 101 with the bottleneck's inner 3x3 twice as wide.

Differences:
- `wide_resnet50_2`, `wide_resnet101_2` have torchvision's keys and forward: post-activation blocks, the
  stride on the 3x3 convolution.
- A block that changes width projects the activated maps with a 1x1 convolution without batch normalisation,
  as the authors' code does.
- Weights start from He's normal with the outputs as n, as in the authors' code.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, he_convolutions, head_alias
from cnnlab.models.resnet import BLOCKS, ResNet

WIDTHS = (16, 32, 64)  # of conv2, conv3, conv4 before widening


class WideBlock(nn.Module):
    """BN-ReLU-3x3-BN-ReLU-dropout-3x3 added to the identity, or to a 1x1 projection of the activated maps."""

    def __init__(self, in_channels: int, channels: int, stride: int, *, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        activated = F.relu(self.bn1(images), inplace=True)
        shortcut = images if self.downsample is None else self.downsample(activated)
        maps = F.relu(self.bn2(self.conv1(activated)), inplace=True)
        maps = self.conv2(self.dropout(maps))
        maps += shortcut
        return maps  # type: ignore[no-any-return]


class WideResNet(Network):
    """WRN-d-k of Table 1, `layers` d and `widen` k."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(
        self, layers: int, widen: int, *, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3
    ) -> None:
        super().__init__()
        if layers < 10 or layers % 6 != 4:
            raise UsageError(f"WRN-{layers}: the depth is 6n + 4, such as 16, 22, 28 or 40")
        self.num_classes, self.in_channels = num_classes, in_channels
        blocks = (layers - 4) // 6
        wide = [width * widen for width in WIDTHS]
        self.conv1 = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        self.layer1 = _group(blocks, 16, wide[0], 1, dropout)
        self.layer2 = _group(blocks, wide[0], wide[1], 2, dropout)
        self.layer3 = _group(blocks, wide[1], wide[2], 2, dropout)
        self.bn = nn.BatchNorm2d(wide[2])
        self.fc = nn.Linear(wide[2], num_classes)
        he_convolutions(self)
        nn.init.zeros_(self.fc.bias)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1` to `layer3` (conv2 to conv4, sums), `norm` (activated) and `pooled` (N, C)."""
        self.check_images(images)
        stem = self.conv1(images)
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        norm = F.relu(self.bn(layer3), inplace=True)
        stages = {"layer1": layer1, "layer2": layer2, "layer3": layer3}
        return {"stem": stem, **stages, "norm": norm, "pooled": norm.mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 32x32 in the paper, any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _group(blocks: int, in_channels: int, channels: int, stride: int, dropout: float) -> nn.Sequential:
    first = WideBlock(in_channels, channels, stride, dropout=dropout)
    return nn.Sequential(first, *(WideBlock(channels, channels, 1, dropout=dropout) for _ in range(blocks - 1)))


class WideBottleneck(nn.Module):
    """ResNet's bottleneck with an inner 3x3 convolution twice as wide; the output is as wide as ResNet's."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        width, out_channels = 2 * channels, 4 * channels
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
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


def wrn16_8(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-16-8, 10,961,370 parameters."""
    return WideResNet(16, 8, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def wrn22_8(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-22-8, 17,158,106 parameters."""
    return WideResNet(22, 8, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def wrn40_4(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-40-4, 8,949,210 parameters."""
    return WideResNet(40, 4, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def wrn28_10(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> WideResNet:
    """WRN-28-10, 36,479,194 parameters; the paper's dropout is 0.3."""
    return WideResNet(28, 10, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def wrn_cifar(
    *, num_classes: int = 10, in_channels: int = 3, layers: int = 28, widen: int = 10, dropout: float = 0.0
) -> WideResNet:
    """WRN-d-k of any depth 6n + 4 and width: 36,479,194 parameters as it stands, the same network as `wrn28_10`."""
    return WideResNet(layers, widen, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def wide_resnet50_2(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """WRN-50-2, 68,883,240 parameters."""
    return ResNet(WideBottleneck, 4, BLOCKS[50], num_classes=num_classes, in_channels=in_channels)


def wide_resnet101_2(*, num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """WRN-101-2, 126,886,696 parameters."""
    return ResNet(WideBottleneck, 4, BLOCKS[101], num_classes=num_classes, in_channels=in_channels)
