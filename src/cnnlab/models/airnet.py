"""Our own small residual network for CIFAR-10 (provisional)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.layers import Network, head_alias

WIDTHS = (64, 128, 256)


class ResidualGroup(nn.Module):
    """Convolution, pooling, then a residual convolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Maps at half the size."""
        maps = F.relu(self.bn1(F.max_pool2d(self.conv1(images), 2)), inplace=True)
        return maps + F.relu(self.bn2(self.conv2(maps)), inplace=True)


class AirNet(Network):
    """A stem and three residual groups."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(self, *, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.stem = nn.Conv2d(in_channels, 24, 2)
        self.group1 = ResidualGroup(24, WIDTHS[0])
        self.group2 = ResidualGroup(WIDTHS[0], WIDTHS[1])
        self.group3 = ResidualGroup(WIDTHS[1], WIDTHS[2])
        self.fc = nn.Linear(WIDTHS[2], num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `group1`, `group2`, `group3` and `pooled`."""
        stem = F.relu(self.stem(images))
        group1 = self.group1(stem)
        group2 = self.group2(group1)
        group3 = self.group3(group2)
        return {"stem": stem, "group1": group1, "group2": group2, "group3": group3, "pooled": group3.amax((2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes)."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def airnet(*, num_classes: int = 10, in_channels: int = 3) -> AirNet:
    """Our fast network for CIFAR-10."""
    return AirNet(num_classes=num_classes, in_channels=in_channels)
