"""AirNet: our own small residual network, made for the fastest run on CIFAR-10.

| layer    | output, 32x32 input | what                                                                |
|----------|---------------------|---------------------------------------------------------------------|
| stem     | 24 x 31 x 31        | 2x2 convolution that whitens 2x2 patches, fixed; SiLU               |
| group1   | 64 x 15 x 15        | 3x3 convolution, 2x2 max pooling, BN, SiLU; residual 3x3, BN, SiLU  |
| group2   | 128 x 7 x 7         | the same                                                            |
| group3   | 256 x 3 x 3         | the same                                                            |
| head     | 10                  | global max pooling, linear layer without bias                       |

What it takes from others: the whitening stem (Page 2019), identity-like initialisation of convolutions
and batch normalisation with a fixed scale and fast statistics (Jordan 2024, arXiv:2404.00498).
What is ours: residual second convolutions, narrower groups (a third of the multiply-accumulates),
SiLU, and global pooling, so that one network trains at 16, 24 and 32 pixels in turn. `widths` are the
channels of the three groups, `depth` how many convolutions each has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.layers import Network, head_alias

WIDTHS = (64, 128, 256)
PATCH_PIXELS = 2
STATISTICS_MOMENTUM = 0.4  # a run is some hundred steps long; running statistics must keep up
WHITENING_EPSILON = 5e-4


class ResidualGroup(nn.Module):
    """A convolution that widens and halves, then others whose outputs are added to their inputs."""

    def __init__(self, in_channels: int, channels: int, depth: int) -> None:
        super().__init__()
        self.conv1 = _convolution(in_channels, channels)
        self.bn1 = _norm(channels)
        self.numbers = tuple(range(2, depth + 1))
        for number in self.numbers:
            self.add_module(f"conv{number}", _convolution(channels, channels))
            self.add_module(f"bn{number}", _norm(channels))

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H // 2, W // 2) for maps (N, in_channels, H, W)."""
        maps = F.silu(self.bn1(F.max_pool2d(self.conv1(images), 2)), inplace=True)
        for number in self.numbers:
            conv, norm = self.get_submodule(f"conv{number}"), self.get_submodule(f"bn{number}")
            maps = maps + F.silu(norm(conv(maps)), inplace=True)
        return maps


def _convolution(in_channels: int, channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
    nn.init.dirac_(conv.weight[:in_channels])  # the first filters pass their input on unchanged
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, momentum=STATISTICS_MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm


class AirNet(Network):
    """The network of the table above; any image of 9 pixels or more will do."""

    head = "fc"
    classifier = head_alias("fc")
    smallest_pixels = 9

    def __init__(
        self, *, num_classes: int = 10, in_channels: int = 3, widths: Sequence[int] = WIDTHS, depth: int = 2
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        filters = 2 * in_channels * PATCH_PIXELS**2  # each eigenvector of a patch, and its negative
        self.stem = nn.Conv2d(in_channels, filters, kernel_size=PATCH_PIXELS, bias=False)
        self.stem.weight.requires_grad_(False)
        self.group1, self.group2, self.group3 = (
            ResidualGroup(before, width, depth) for before, width in pairwise((filters, *widths))
        )
        self.fc = nn.Linear(widths[-1], num_classes, bias=False)
        nn.init.normal_(self.fc.weight, std=1 / widths[-1])

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Set the stem so that 2x2 patches of these normalised images (N, C, H, W) come out white."""
        patches = images.unfold(2, PATCH_PIXELS, 1).unfold(3, PATCH_PIXELS, 1)
        rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, self.in_channels * PATCH_PIXELS**2)
        variances, directions = torch.linalg.eigh(rows.T @ rows / len(rows))
        filters = (directions / (variances + WHITENING_EPSILON).sqrt()).T.view(-1, *self.stem.weight.shape[1:])
        self.stem.weight.copy_(torch.cat((filters, -filters)))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `group1`, `group2`, `group3` (N, C, H, W) and `pooled` (N, widths[-1])."""
        self.check_images(images)
        stem = F.silu(self.stem(images), inplace=True)
        group1 = self.group1(stem)
        group2 = self.group2(group1)
        group3 = self.group3(group2)
        return {"stem": stem, "group1": group1, "group2": group2, "group3": group3, "pooled": group3.amax((2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for normalised images (N, in_channels, H, W)."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def airnet(*, num_classes: int = 10, in_channels: int = 3, widths: Sequence[int] = WIDTHS, depth: int = 2) -> AirNet:
    """AirNet: 1,161,248 parameters and 65.4 million multiply-accumulates at 32x32, as it is by default."""
    return AirNet(num_classes=num_classes, in_channels=in_channels, widths=widths, depth=depth)
