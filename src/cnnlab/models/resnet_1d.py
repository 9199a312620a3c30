"""ResNet-18 for signals (N, C, L): He et al. 2015 (arXiv:1512.03385), Table 1, each 2-D layer made 1-D.

| layer   | length of 1024 | 18                              |
|---------|----------------|---------------------------------|
| conv1   | 512            | 7, 64, stride 2                 |
| conv2_x | 256            | 3 max pool, stride 2; 64-64 x2  |
| conv3_x | 128            | 128-128 x2                      |
| conv4_x | 64             | 256-256 x2                      |
| conv5_x | 32             | 512-512 x2                      |
|         | 1              | average pool, fully-connected   |

Differences:
- No paper describes this network; kernels of 7 and 3 stay 7 and 3. The canonical signal here is one channel
  of 1024 samples; any length works.
- Shortcuts are option B, starting weights He's normal, and state_dict keys as in `resnet`.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.layers import Network, he_convolutions, head_alias

WIDTHS = (64, 128, 256, 512)  # conv2_x to conv5_x, two blocks each


class BasicBlock1d(nn.Module):
    """Two convolutions of 3 samples, each batch-normalised, and a shortcut added before the last ReLU."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm1d(channels)
        self.conv2 = nn.Conv1d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm1d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            projection = nn.Conv1d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm1d(channels))

    def forward(self, signals: Tensor) -> Tensor:
        """Maps (N, channels, L / stride) for maps (N, in_channels, L)."""
        maps = F.relu(self.bn1(self.conv1(signals)), inplace=True)
        maps = self.bn2(self.conv2(maps))
        maps += signals if self.downsample is None else self.downsample(signals)
        return F.relu(maps, inplace=True)


class ResNet1d(Network):
    """Table 1's ResNet-18 over one axis."""

    head = "fc"
    classifier = head_alias("fc")
    image_axes = 1

    def __init__(self, *, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.conv1 = nn.Conv1d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm1d(64)
        self.maxpool = nn.MaxPool1d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(64, WIDTHS[0], 1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], 2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], 2)
        self.layer4 = _stage(WIDTHS[2], WIDTHS[3], 2)
        self.fc = nn.Linear(WIDTHS[3], num_classes)
        he_convolutions(self)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem` (after the max pool), `layer1` to `layer4` (N, C, L) and `pooled` (N, 512)."""
        self.check_images(images)
        stem = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        layer4 = self.layer4(layer3)
        stages = {"layer1": layer1, "layer2": layer2, "layer3": layer3, "layer4": layer4}
        return {"stem": stem, **stages, "pooled": layer4.mean(dim=2)}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for signals (N, in_channels, L)."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _stage(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock1d(in_channels, channels, stride), BasicBlock1d(channels, channels, 1))


def resnet18_1d(*, num_classes: int = 10, in_channels: int = 1) -> ResNet1d:
    """ResNet-18 for signals."""
    return ResNet1d(num_classes=num_classes, in_channels=in_channels)
