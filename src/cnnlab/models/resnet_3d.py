"""ResNet-18 for clips (N, C, T, H, W): R3D-18 of Tran et al. 2018 (arXiv:1711.11248), Table 1.

| layer   | output of 16x112x112 | R3D-18                            |
|---------|----------------------|-----------------------------------|
| conv1   | 16x56x56             | 3x7x7, 64, stride 1x2x2           |
| conv2_x | 16x56x56             | 3x3x3, 64; 3x3x3, 64; x2          |
| conv3_x | 8x28x28              | 128 x2, stride 2x2x2 in the first |
| conv4_x | 4x14x14              | 256 x2                            |
| conv5_x | 2x7x7                | 512 x2                            |
|         | 1x1x1                | average pool, fully-connected     |

Differences:
- None from the table known; any clip size works. state_dict keys, starting weights and forward are those of
  torchvision's `r3d_18`, whose weights are for 400 classes (Kinetics-400).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.layers import Network, he_convolutions, head_alias

WIDTHS = (64, 128, 256, 512)  # conv2_x to conv5_x, two blocks each


def conv_bn(in_channels: int, channels: int, stride: int) -> list[nn.Module]:
    """A 3x3x3 convolution and its batch normalisation."""
    conv = nn.Conv3d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
    return [conv, nn.BatchNorm3d(channels)]


class BasicBlock3d(nn.Module):
    """Two 3x3x3 convolutions, each batch-normalised, and a shortcut added before the last ReLU."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*conv_bn(in_channels, channels, stride), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(*conv_bn(channels, channels, 1))
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            projection = nn.Conv3d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(channels))

    def forward(self, clips: Tensor) -> Tensor:
        """Maps (N, channels, T / stride, H / stride, W / stride) for maps (N, in_channels, T, H, W)."""
        maps = self.conv2(self.conv1(clips))
        maps += clips if self.downsample is None else self.downsample(clips)
        return F.relu(maps, inplace=True)


class ResNet3d(Network):
    """R3D-18: every convolution over time and space."""

    head = "fc"
    classifier = head_alias("fc")
    image_axes = 3

    def __init__(self, *, num_classes: int = 400, in_channels: int = 3) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        conv1 = nn.Conv3d(in_channels, 64, kernel_size=(3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False)
        self.stem = nn.Sequential(conv1, nn.BatchNorm3d(64), nn.ReLU(inplace=True))
        self.layer1 = _stage(64, WIDTHS[0], 1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], 2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], 2)
        self.layer4 = _stage(WIDTHS[2], WIDTHS[3], 2)
        self.fc = nn.Linear(WIDTHS[3], num_classes)
        he_convolutions(self)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1` to `layer4` (N, C, T, H, W) and `pooled` (N, 512)."""
        self.check_images(images)
        stem = self.stem(images)
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        stages = {"layer1": layer1, "layer2": layer2, "layer3": layer3, "layer4": layer4}
        return {"stem": stem, **stages, "pooled": layer4.mean(dim=(2, 3, 4))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for clips (N, in_channels, T, H, W); 16x112x112 in the paper."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _stage(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock3d(in_channels, channels, stride), BasicBlock3d(channels, channels, 1))


def resnet18_3d(*, num_classes: int = 400, in_channels: int = 3) -> ResNet3d:
    """R3D-18, 33,371,472 parameters with 400 classes."""
    return ResNet3d(num_classes=num_classes, in_channels=in_channels)
