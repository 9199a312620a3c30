"""Densely connected networks. Huang et al. 2016 (arXiv:1608.06993), Table 1 and section 3.

A dense layer appends k ("growth rate") maps to all maps before it; a transition (BN-ReLU-1x1 convolution,
2x2 average pool) stands between dense blocks. B: a layer's 3x3 follows a 1x1 to 4k maps. C: a transition
halves the maps.

| layers         | output  | 121 (k=32) | 169 (k=32) | 201 (k=32) | 161 (k=48) |
|----------------|---------|------------|------------|------------|------------|
| convolution    | 112x112 | 7x7, 2k, stride 2                                 |
| pooling        | 56x56   | 3x3 max pool, stride 2                            |
| dense block 1  | 56x56   | 6          | 6          | 6          | 6          |
| dense block 2  | 28x28   | 12         | 12         | 12         | 12         |
| dense block 3  | 14x14   | 24         | 32         | 48         | 36         |
| dense block 4  | 7x7     | 16         | 32         | 32         | 24         |
| classification | 1x1     | global average pool, 1000-way fully-connected     |

For 32x32 images: 3x3 convolution (16 maps, 2k with BC), three equal dense blocks at 32, 16 and 8 pixels;
DenseNet L=40, k=12 has 12 layers a block, DenseNet-BC L=100, k=12 has 16.

Differences:
- Weights start from He's normal with the outputs as n, as in the authors' code; torchvision takes the inputs.
- `dropout` follows every convolution but the first, as section 4.2 has it for data without augmentation (0.2);
  torchvision drops after the 3x3 convolutions only.
- `densenet_cifar` has any k and blocks: the files of bamos, andreasveit and bearpaw, who start with 2k maps; of
  kuangliu with `new_first`, which puts new maps before the old ones; of weiaicunzai with `transition_relu=False`,
  where a transition is BN, convolution and pooling.
- `stem="3x3"` of the 224 networks is huyvnphan/PyTorch_CIFAR10's: stride 1, and the max pool kept.
- state_dict keys and forward are torchvision's; the last norm of a CIFAR network is `features.norm4`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, check_images, features_alias, he_convolutions

Stem = Literal["7x7", "3x3"]


@dataclass(frozen=True)
class Layout:
    """One column of the paper's table: k, layers of each dense block, maps of the stem; letters B and C."""

    growth: int
    layers: tuple[int, ...]
    stem: int
    bottleneck: bool = True
    compression: float = 0.5
    transition_relu: bool = True
    new_first: bool = False


COLUMNS = {  # Table 1
    121: Layout(32, (6, 12, 24, 16), stem=64),
    169: Layout(32, (6, 12, 32, 32), stem=64),
    201: Layout(32, (6, 12, 48, 32), stem=64),
    161: Layout(48, (6, 12, 36, 24), stem=96),
}
CIFAR_40_12 = Layout(12, (12, 12, 12), stem=16, bottleneck=False, compression=1.0)
CIFAR_BC_100_12 = Layout(12, (16, 16, 16), stem=24)


class DenseLayer(nn.Module):
    """BN-ReLU-3x3, k new maps from all maps before (equation 2)."""

    def __init__(self, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, growth, kernel_size=3, padding=1, bias=False)
        self.dropout = dropout

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, growth, H, W) for maps (N, in_channels, H, W)."""
        new: Tensor = self.conv1(F.relu(self.norm1(maps), inplace=True))
        return F.dropout(new, self.dropout, self.training) if self.dropout else new


class BottleneckLayer(nn.Module):
    """BN-ReLU-1x1-BN-ReLU-3x3, k new maps by way of 4k ("DenseNet-B")."""

    def __init__(self, in_channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)
        self.dropout = dropout

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, growth, H, W) for maps (N, in_channels, H, W)."""
        inner: Tensor = self.conv1(F.relu(self.norm1(maps), inplace=True))
        inner = F.dropout(inner, self.dropout, self.training) if self.dropout else inner
        new: Tensor = self.conv2(F.relu(self.norm2(inner), inplace=True))
        return F.dropout(new, self.dropout, self.training) if self.dropout else new


class DenseBlock(nn.Module):
    """Layers each of which reads all maps before it; with `new_first` the newest maps come first."""

    def __init__(self, layers: int, in_channels: int, layout: Layout, dropout: float) -> None:
        super().__init__()
        self.new_first = layout.new_first
        make_layer = BottleneckLayer if layout.bottleneck else DenseLayer
        for number in range(layers):
            layer = make_layer(in_channels + number * layout.growth, layout.growth, dropout)
            self.add_module(f"denselayer{number + 1}", layer)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, in_channels + layers * growth, H, W) for maps (N, in_channels, H, W)."""
        all_maps = [maps]
        for layer in self.children():
            new = layer(torch.cat(all_maps, 1))
            all_maps = [new, *all_maps] if self.new_first else [*all_maps, new]
        return torch.cat(all_maps, 1)


class Transition(nn.Module):
    """BN-ReLU-1x1 convolution and 2x2 average pool between two dense blocks."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, *, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.dropout = dropout

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, out_channels, H / 2, W / 2) for maps (N, in_channels, H, W)."""
        maps = self.norm(maps)
        maps = self.conv(F.relu(maps, inplace=True) if self.relu else maps)
        maps = F.dropout(maps, self.dropout, self.training) if self.dropout else maps
        return F.avg_pool2d(maps, kernel_size=2)


class DenseNetFeatures(nn.Module):
    """All before the classifier: stem, dense blocks with transitions between, last norm, average pool."""

    def __init__(
        self, layout: Layout, *, large_images: bool, dropout: float, in_channels: int, stem: Stem = "7x7"
    ) -> None:
        super().__init__()
        if stem not in ("7x7", "3x3"):
            raise UsageError(f"no stem {stem!r}; known: '7x7' and '3x3'")
        self.in_channels, self.large_images = in_channels, large_images
        halvings = len(layout.layers) - 1 + (large_images and stem == "3x3")
        self.smallest_pixels = 29 if large_images and stem == "7x7" else 2**halvings
        if large_images:
            side, stride = (7, 2) if stem == "7x7" else (3, 1)
            self.conv0 = nn.Conv2d(in_channels, layout.stem, side, stride=stride, padding=side // 2, bias=False)
            self.norm0 = nn.BatchNorm2d(layout.stem)
        else:
            self.conv0 = nn.Conv2d(in_channels, layout.stem, kernel_size=3, padding=1, bias=False)
        self.parts: list[str] = []  # names of dense blocks and transitions, in order
        channels = layout.stem
        for number, layers in enumerate(layout.layers, start=1):
            self._append(f"denseblock{number}", DenseBlock(layers, channels, layout, dropout))
            channels += layers * layout.growth
            if number < len(layout.layers):
                fewer = int(channels * layout.compression)
                self._append(f"transition{number}", Transition(channels, fewer, dropout, relu=layout.transition_relu))
                channels = fewer
        self.last_norm = f"norm{len(layout.layers) + 1}"
        self.add_module(self.last_norm, nn.BatchNorm2d(channels))
        self.channels = channels

    def _append(self, name: str, part: nn.Module) -> None:
        self.parts.append(name)
        self.add_module(name, part)

    def stem(self, images: Tensor) -> Tensor:
        """Maps (N, 2k, H / 4, W / 4) of large images, (N, C, H, W) of small ones."""
        maps: Tensor = self.conv0(images)
        if not self.large_images:
            return maps
        return F.max_pool2d(F.relu(self.norm0(maps), inplace=True), kernel_size=3, stride=2, padding=1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `denseblock1`, `transition1` and on, the last norm (activated) and `pooled` (N, C)."""
        check_images(images, "DenseNet", self.in_channels, self.smallest_pixels)
        maps = self.stem(images)
        found = {"stem": maps}
        for name in self.parts:
            maps = getattr(self, name)(maps)
            found[name] = maps
        found[self.last_norm] = F.relu(getattr(self, self.last_norm)(maps), inplace=True)
        found["pooled"] = found[self.last_norm].mean(dim=(2, 3))
        return found


class DenseNet(Network):
    """`features` and a fully-connected classifier."""

    features = features_alias()

    def __init__(
        self,
        layout: Layout,
        *,
        large_images: bool,
        dropout: float,
        num_classes: int,
        in_channels: int,
        stem: Stem = "7x7",
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        features = DenseNetFeatures(
            layout, large_images=large_images, dropout=dropout, in_channels=in_channels, stem=stem
        )
        self.smallest_pixels = features.smallest_pixels
        self._modules["features"] = features
        self.classifier = nn.Linear(features.channels, num_classes)
        he_convolutions(self)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W)."""
        logits: Tensor = self.classifier(self.features(images)["pooled"])
        return logits


def _large(layers: int, dropout: float, num_classes: int, in_channels: int, stem: Stem) -> DenseNet:
    return DenseNet(
        COLUMNS[layers],
        large_images=True,
        dropout=dropout,
        num_classes=num_classes,
        in_channels=in_channels,
        stem=stem,
    )


def densenet121(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3, stem: Stem = "7x7") -> DenseNet:
    """DenseNet-BC of 121 layers, k = 32: 7,978,856 parameters; images of 29 pixels or more."""
    return _large(121, dropout, num_classes, in_channels, stem)


def densenet161(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3, stem: Stem = "7x7") -> DenseNet:
    """DenseNet-BC of 161 layers, k = 48: 28,681,000 parameters; images of 29 pixels or more."""
    return _large(161, dropout, num_classes, in_channels, stem)


def densenet169(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3, stem: Stem = "7x7") -> DenseNet:
    """DenseNet-BC of 169 layers, k = 32: 14,149,480 parameters; images of 29 pixels or more."""
    return _large(169, dropout, num_classes, in_channels, stem)


def densenet201(*, dropout: float = 0.0, num_classes: int = 1000, in_channels: int = 3, stem: Stem = "7x7") -> DenseNet:
    """DenseNet-BC of 201 layers, k = 32: 20,013,928 parameters; images of 29 pixels or more."""
    return _large(201, dropout, num_classes, in_channels, stem)


def densenet40_12(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> DenseNet:
    """DenseNet of 40 layers, k = 12, for 32x32 images: 1,019,722 parameters."""
    return DenseNet(CIFAR_40_12, large_images=False, dropout=dropout, num_classes=num_classes, in_channels=in_channels)


def densenet_bc100_12(*, dropout: float = 0.0, num_classes: int = 10, in_channels: int = 3) -> DenseNet:
    """DenseNet-BC of 100 layers, k = 12, for 32x32 images: 769,162 parameters."""
    return DenseNet(
        CIFAR_BC_100_12, large_images=False, dropout=dropout, num_classes=num_classes, in_channels=in_channels
    )


def densenet_cifar(
    *,
    dropout: float = 0.0,
    num_classes: int = 10,
    in_channels: int = 3,
    growth: int = 12,
    layers: Sequence[int] = (16, 16, 16),
    bottleneck: bool = True,
    transition_maps: float = 0.5,
    transition_relu: bool = True,
    new_first: bool = False,
) -> DenseNet:
    """Any k and dense blocks of `layers`: 769,162 parameters as it stands, the same network as `densenet_bc100_12`.

    `transition_maps` is the share of the maps that a transition keeps. The stem has 2k maps.
    """
    layout = Layout(growth, tuple(layers), 2 * growth, bottleneck, transition_maps, transition_relu, new_first)
    return DenseNet(layout, large_images=False, dropout=dropout, num_classes=num_classes, in_channels=in_channels)
