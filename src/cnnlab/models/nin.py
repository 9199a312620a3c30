"""Network in Network. Lin, Chen and Yan 2013 (arXiv:1312.4400), Figure 2; layer sizes from the authors' own files.

An mlpconv layer is a convolution followed by 1x1 convolutions ("cccp"), ReLU after each. The last one has a
map for each class, and its global average is the logit: there is no fully-connected layer.

| mlpconv | CIFAR-10, 32x32 images            | ImageNet, 224x224 images               |
|---------|-----------------------------------|----------------------------------------|
| 1       | 5x5 192, 160, 96; pool 3/2        | 11x11/4 96, 96, 96; pool 3/2           |
| 2       | 5x5 192, 192, 192; pool 3/2       | 5x5 256, 256, 256; pool 3/2            |
| 3       | 3x3 192, 192, classes; average    | 3x3 384, 384, 384; pool 3/2            |
| 4       |                                   | 3x3 1024, 1024, classes; average       |

`nin_cifar` is the authors' cuda-convnet file (8.81% error on CIFAR-10 with augmentation); `nin_imagenet` the
authors' network in the Caffe model zoo, of which the paper itself does not speak. Max pooling rounds up;
dropout 0.5 after each pooling on CIFAR, after the third on ImageNet.

Differences:
- `classifier` makes the class maps and averages them. It reads the maps before them as one row of numbers an
  image, as a 1x1 convolution may; a linear layer put in its place fits one size of images.
- Several ports put an average pool after the second mlpconv; the authors' file has max pools only.
- The average is over the whole map, whatever its size, so that any image that survives the pooling works.
- Weights start from N(0, 0.05) on CIFAR (the CIFAR-100 file has 0.001 in conv1 and 0.01 in cccp1 and 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.initialise import fill, filler
from cnnlab.models.layers import Network


@dataclass(frozen=True)
class Row:
    """One mlpconv layer: its convolution, and the widths of the 1x1 convolutions after it."""

    channels: int
    kernel: int
    cccp: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dropout: bool = False  # after the pooling


CIFAR = (
    Row(192, 5, (160, 96), padding=2, dropout=True),
    Row(192, 5, (192, 192), padding=2, dropout=True),
    Row(192, 3, (192,), padding=1),
)
IMAGENET = (
    Row(96, 11, (96, 96), stride=4),
    Row(256, 5, (256, 256), padding=2),
    Row(384, 3, (384, 384), padding=1, dropout=True),
    Row(1024, 3, (1024,), padding=1),
)


class MlpConv(nn.Module):
    """A convolution, then 1x1 convolutions, a ReLU after each (section 3.1)."""

    def __init__(self, in_channels: int, row: Row) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, row.channels, row.kernel, stride=row.stride, padding=row.padding)
        widths = (row.channels, *row.cccp)
        self.cccp = nn.ModuleList(nn.Conv2d(before, after, kernel_size=1) for before, after in pairwise(widths))

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels of the last cccp, H / stride, W / stride)."""
        maps = F.relu(self.conv(images), inplace=True)
        for cccp in self.cccp:
            maps = F.relu(cccp(maps), inplace=True)
        return maps


class ClassMaps(nn.Module):
    """One map a class, ReLU, and each map's average (section 3.2); where a pixel lies makes no difference."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cccp = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def forward(self, flat: Tensor) -> Tensor:
        """Logits (N, num_classes), none below 0, for flattened maps (N, in_channels * H * W)."""
        maps = flat.view(flat.shape[0], self.cccp.in_channels, -1, 1)
        return F.relu(self.cccp(maps), inplace=True).mean(dim=(2, 3))


class NIN(Network):
    """mlpconv layers with max pooling between them, and class maps."""

    def __init__(
        self, table: tuple[Row, ...], *, num_classes: int, in_channels: int, dropout: float, smallest: int
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels, self.smallest_pixels = num_classes, in_channels, smallest
        self.table = table
        channels = in_channels
        self.mlpconv = nn.ModuleList()
        for row in table:
            self.mlpconv.append(MlpConv(channels, row))
            channels = row.cccp[-1]
        self.dropout = nn.Dropout(dropout)
        self.classifier = ClassMaps(channels, num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`mlpconv1`, `pool1`, `mlpconv2`, ... (N, C, H, W) and `flat` (N, C * H * W)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        maps = images
        for index, (row, mlpconv) in enumerate(zip(self.table, self.mlpconv, strict=True), start=1):
            maps = named[f"mlpconv{index}"] = mlpconv(maps)
            if index < len(self.table):
                maps = named[f"pool{index}"] = F.max_pool2d(maps, 3, stride=2, ceil_mode=True)
                maps = self.dropout(maps) if row.dropout else maps
        named["flat"] = maps.flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W)."""
        logits: Tensor = self.classifier(self.features(images)["flat"])
        return logits


def nin_cifar(*, num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> NIN:
    """The authors' network for CIFAR-10 and 100: 966,986 and 984,356 parameters."""
    net = NIN(CIFAR, num_classes=num_classes, in_channels=in_channels, dropout=dropout, smallest=4)
    fill(net, filler("gaussian", 0.05))
    return net


def nin_imagenet(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> NIN:
    """The authors' network in Caffe's model zoo: 7,595,176 parameters."""
    net = NIN(IMAGENET, num_classes=num_classes, in_channels=in_channels, dropout=dropout, smallest=39)
    fill(net, filler("gaussian", 0.05))
    for narrow in ("mlpconv.0.conv.weight", "mlpconv.2.conv.weight", "classifier.cccp.weight"):
        nn.init.normal_(net.get_parameter(narrow), std=0.01)
    return net
