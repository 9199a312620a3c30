"""Residual units to compare: other shortcuts, other places for BN and ReLU. He et al. 2016 (arXiv:1603.05027).

CIFAR networks of 6n + 2 layers in the shape of ResNet-20 (`resnet_cifar`), of one kind of unit. In its branch, C is a
3x3 convolution, B batch normalisation and R ReLU (Figure 4, Table 2):

| unit              | branch  | after the addition |
|-------------------|---------|--------------------|
| original          | C B R C B   | R              |
| bn_after_addition | C B R C     | B R            |
| relu_before       | C B R C B R |                |
| relu_only         | R C B R C B |                |
| full              | B R C B R C |                |

and what becomes of the input x on its way past the branch F (Figure 2, Table 1), g = sigmoid(1x1 convolution of x):

| shortcut       | sum               |
|----------------|-------------------|
| identity       | F + x             |
| scaled         | F / 2 + x / 2     |
| exclusive_gate | g F + (1 - g) x   |
| shortcut_gate  | F + (1 - g) x     |
| conv1x1        | F + convolved x   |
| dropout        | F + x, half of it dropped while training |

Differences:
- Where the shape changes, the shortcut is option A of the first paper (subsampled, zero-padded) and, unlike
  `resnetv2_110`, reads the input as it is; `conv1x1` convolves there too.
- `full` ends in one more B R and `relu_only` in R, before the average.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError, unknown_name
from cnnlab.models.highway import Gate
from cnnlab.models.layers import Network, head_alias
from cnnlab.models.resnet_cifar import WIDTHS, ZeroPadShortcut

Unit = Literal["original", "bn_after_addition", "relu_before", "relu_only", "full"]
Shortcut = Literal["identity", "scaled", "exclusive_gate", "shortcut_gate", "conv1x1", "dropout"]
BRANCHES = {
    "original": "CBRCB",
    "bn_after_addition": "CBRC",
    "relu_before": "CBRCBR",
    "relu_only": "RCBRCB",
    "full": "BRCBRC",
}
AFTER = {"original": "R", "bn_after_addition": "BR", "relu_before": "", "relu_only": "", "full": ""}
STEM = {"original": "CBR", "bn_after_addition": "CBR", "relu_before": "CBR", "relu_only": "CB", "full": "C"}
LAST = {"original": "", "bn_after_addition": "", "relu_before": "", "relu_only": "R", "full": "BR"}
SHORTCUTS = ("identity", "scaled", "exclusive_gate", "shortcut_gate", "conv1x1", "dropout")


class ResidualUnit(nn.Module):
    """One unit: its branch, its shortcut, and what follows the addition."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, unit: Unit, shortcut: Shortcut, gate_bias: float
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.branch = nn.Sequential(*_layers(BRANCHES[unit], in_channels, channels, stride))
        self.after = nn.Sequential(*_layers(AFTER[unit], channels, channels, 1))
        same = in_channels == channels
        self.downsample: nn.Module | None = None if same else ZeroPadShortcut(in_channels, channels, stride)
        if shortcut == "conv1x1":
            self.downsample = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
        gated = shortcut in ("exclusive_gate", "shortcut_gate")
        self.gate = Gate(channels, 1, gate_bias) if gated else None
        if self.gate is not None and self.gate.bias is not None:
            nn.init.constant_(self.gate.bias, gate_bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        past = maps if self.downsample is None else self.downsample(maps)
        summed: Tensor = self.after(self._add(self.branch(maps), past))
        return summed

    def _add(self, branch: Tensor, past: Tensor) -> Tensor:
        if self.shortcut == "scaled":
            return (branch + past) / 2
        if self.shortcut == "dropout":
            return branch + F.dropout(past, 0.5, self.training)
        if self.gate is None:
            return branch + past
        gate = torch.sigmoid(self.gate(past))
        return torch.lerp(past, branch, gate) if self.shortcut == "exclusive_gate" else branch + (1 - gate) * past


def _layers(letters: str, in_channels: int, channels: int, stride: int) -> Iterator[nn.Module]:
    """The layers that C, B and R stand for; the first C changes the shape."""
    for letter in letters:
        if letter == "C":
            yield nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
            in_channels, stride = channels, 1
        else:
            yield nn.BatchNorm2d(in_channels) if letter == "B" else nn.ReLU()


class ResidualUnits(Network):
    """Three stages of one kind of unit."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(
        self, layers: int, unit: Unit, shortcut: Shortcut, gate_bias: float, *, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        if layers < 8 or (layers - 2) % 6:
            raise UsageError(f"a residual network of {layers} layers; give 6 n + 2: 8, 14, 20, 26, …")
        if unit not in BRANCHES:
            raise unknown_name("unit", unit, BRANCHES)
        if shortcut not in SHORTCUTS:
            raise unknown_name("shortcut", shortcut, SHORTCUTS)
        self.num_classes, self.in_channels = num_classes, in_channels
        self.stem = nn.Sequential(*_layers(STEM[unit], in_channels, WIDTHS[0], 1))
        channels = WIDTHS[0]
        for number, width in enumerate(WIDTHS, 1):
            units = []
            for place in range((layers - 2) // 6):
                stride = 2 if number > 1 and place == 0 else 1
                units.append(ResidualUnit(channels, width, stride, unit, shortcut, gate_bias))
                channels = width
            self.add_module(f"layer{number}", nn.Sequential(*units))
        self.last = nn.Sequential(*_layers(LAST[unit], channels, channels, 1))
        self.fc = nn.Linear(channels, num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1`, `layer2`, `layer3` (N, C, H, W) and `pooled` (N, 64)."""
        self.check_images(images)
        found = {"stem": self.stem(images)}
        maps = found["stem"]
        for name in ("layer1", "layer2", "layer3"):
            maps = found[name] = self.get_submodule(name)(maps)
        found["pooled"] = self.last(maps).mean(dim=(2, 3))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def residual_units(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    layers: int = 20,
    unit: Unit = "original",
    shortcut: Shortcut = "identity",
    gate_bias: float = -6.0,
) -> ResidualUnits:
    """A CIFAR ResNet of chosen units: 269,722 parameters as it stands, the same network as `resnet20`."""
    return ResidualUnits(layers, unit, shortcut, gate_bias, num_classes=num_classes, in_channels=in_channels)
