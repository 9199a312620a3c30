"""GoogLeNet, Inception v1. Szegedy et al. 2014 (arXiv:1409.4842), section 5, Table 1, for 224x224 images.

| layer        | output  | 1x1 | 3x3 reduce | 3x3 | 5x5 reduce | 5x5 | pool proj |
|--------------|---------|-----|------------|-----|------------|-----|-----------|
| conv1 7x7/2  | 112x112 | 64 filters, then max pool 3x3/2, LRN                  |
| conv2        | 56x56   |     | 64         | 192 | then LRN, max pool 3x3/2      |
| inception 3a | 28x28   | 64  | 96         | 128 | 16         | 32  | 32        |
| inception 3b | 28x28   | 128 | 128        | 192 | 32         | 96  | 64        |
| max pool     | 14x14   |                                                       |
| inception 4a | 14x14   | 192 | 96         | 208 | 16         | 48  | 64        |
| inception 4b | 14x14   | 160 | 112        | 224 | 24         | 64  | 64        |
| inception 4c | 14x14   | 128 | 128        | 256 | 24         | 64  | 64        |
| inception 4d | 14x14   | 112 | 144        | 288 | 32         | 64  | 64        |
| inception 4e | 14x14   | 256 | 160        | 320 | 32         | 128 | 128       |
| max pool     | 7x7     |                                                       |
| inception 5a | 7x7     | 256 | 160        | 320 | 32         | 128 | 128       |
| inception 5b | 7x7     | 384 | 192        | 384 | 48         | 128 | 128       |
| average pool | 1x1     | then dropout 0.4 and 1000 linear units                |

While training, two auxiliary heads read 4a and 4d: average pool 5x5/3, 1x1 convolution with 128 filters, 1024
units, dropout 0.7, 1000 units; their losses count 0.3 each. `forward` never runs them.

Differences, `googlenet_2014`:
- The 7x7 convolution is dense, as in every released model: 9,408 weights. The table's 2.7K and 34M operations
  are of a separable one, which is why the table sums to 1.50 G and this network needs 1.58 G.
- LRN has the constants of Caffe's re-training (size 5, alpha 1e-4 / 5 on the sum, beta 0.75, k = 1) and
  weights start as there, Xavier with biases 0.2 and classifiers' biases 0; the paper gives neither.
- Heads on maps other than 14x14 average to 4x4 instead of 5x5/3, so that other image sizes work.

Differences, `googlenet`, which is torchvision's network with its keys:
- Batch normalisation after every convolution, no biases there, no LRN.
- The "5x5" branch has 3x3 kernels, a mistake that torchvision keeps for its weights.
- The last max pool is 2x2/2; heads average to 4x4; dropout before the classifier is 0.2.
- `transform_input` belongs to torchvision's weights, which saw pixels from -1 to 1.
- Weights start from a normal of deviation 0.01 cut at 2 deviations; torchvision's cut, at 2, cuts nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.initialise import caffe_xavier_, fill, filler
from cnnlab.models.layers import ConvBN, ImagenetToInceptionRange, LocalResponseNorm, Network, head_alias

TABLE_1 = {  # inception: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def out_channels(name: str) -> int:
    """What an inception of Table 1 returns: its four branches side by side."""
    one, _, three, _, five, pool = TABLE_1[name]
    return one + three + five + pool


class ConvBias(nn.Module):
    """Convolution with a bias, then ReLU: the paper's."""

    def __init__(self, in_channels: int, channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride=stride, padding=padding)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H, W) for maps (N, in_channels, H, W)."""
        return F.relu(self.conv(images), inplace=True)


Conv = type[ConvBias] | type[ConvBN]


class Inception(nn.Module):
    """Four branches side by side (Figure 2b); `five` is the kernel of the third, 3 in torchvision."""

    def __init__(self, in_channels: int, name: str, conv: Conv, five: int) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, fives, pool = TABLE_1[name]
        self.branch1 = conv(in_channels, one, 1)
        self.branch2 = nn.Sequential(conv(in_channels, three_reduce, 1), conv(three_reduce, three, 3, padding=1))
        self.branch3 = nn.Sequential(
            conv(in_channels, five_reduce, 1), conv(five_reduce, fives, five, padding=five // 2)
        )
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, pool, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, sum of the branches, H, W) for maps (N, in_channels, H, W)."""
        branches = (self.branch1(maps), self.branch2(maps), self.branch3(maps), self.branch4(maps))
        return torch.cat(branches, dim=1)


class AuxiliaryHead(nn.Module):
    """Logits from the middle of the network (section 5, the list before Figure 3)."""

    def __init__(self, in_channels: int, num_classes: int, conv: Conv, dropout: float) -> None:
        super().__init__()
        self.strided = conv is ConvBias
        self.conv = conv(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def pool(self, maps: Tensor) -> Tensor:
        """Maps averaged to 4x4: from 14x14 by windows of 5x5, stride 3, in the paper's network."""
        if self.strided and maps.shape[2] == 14 and maps.shape[3] == 14:
            return F.avg_pool2d(maps, 5, stride=3)
        return F.adaptive_avg_pool2d(maps, 4)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (N, num_classes) for maps (N, in_channels, H, W)."""
        hidden = F.relu(self.fc1(self.conv(self.pool(maps)).flatten(1)), inplace=True)
        logits: Tensor = self.fc2(self.dropout(hidden))
        return logits


class GoogLeNet(Network):
    """Table 1, as of 2014 (`paper`) or as torchvision has it."""

    head = "fc"
    classifier = head_alias("fc")

    def __init__(
        self,
        *,
        paper: bool,
        num_classes: int,
        in_channels: int,
        aux_heads: bool,
        dropout: float,
        aux_dropout: float,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.smallest_pixels = 31 if paper else 15
        if transform_input and in_channels != 3:
            raise UsageError(f"transform_input is for RGB images, and in_channels is {in_channels}; leave one out")
        conv: Conv = ConvBias if paper else ConvBN
        five = 5 if paper else 3
        lrn = LocalResponseNorm(size=5, alpha=1e-4 / 5, beta=0.75, k=1.0) if paper else nn.Identity()
        self.transform_input = ImagenetToInceptionRange() if transform_input else nn.Identity()
        self.conv1 = conv(in_channels, 64, 7, stride=2, padding=3)
        self.lrn = lrn
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3, padding=1)
        self.inception3a = Inception(192, "3a", conv, five)
        self.inception3b = Inception(out_channels("3a"), "3b", conv, five)
        self.inception4a = Inception(out_channels("3b"), "4a", conv, five)
        self.inception4b = Inception(out_channels("4a"), "4b", conv, five)
        self.inception4c = Inception(out_channels("4b"), "4c", conv, five)
        self.inception4d = Inception(out_channels("4c"), "4d", conv, five)
        self.inception4e = Inception(out_channels("4d"), "4e", conv, five)
        self.last_pool = 3 if paper else 2
        self.inception5a = Inception(out_channels("4e"), "5a", conv, five)
        self.inception5b = Inception(out_channels("5a"), "5b", conv, five)
        self.aux_heads = aux_heads
        if aux_heads:
            self.aux1 = AuxiliaryHead(out_channels("4a"), num_classes, conv, aux_dropout)
            self.aux2 = AuxiliaryHead(out_channels("4d"), num_classes, conv, aux_dropout)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(out_channels("5b"), num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1` to `conv3`, `inception3a` to `inception5b` (N, C, H, W) and `pooled` (N, 1024)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        named["conv1"] = maps = self.conv1(self.transform_input(images))
        named["conv2"] = maps = self.conv2(self.lrn(_pool(maps)))
        named["conv3"] = maps = self.conv3(maps)
        maps = _pool(self.lrn(maps))
        named["inception3a"] = maps = self.inception3a(maps)
        named["inception3b"] = maps = self.inception3b(maps)
        maps = _pool(maps)
        named["inception4a"] = maps = self.inception4a(maps)
        named["inception4b"] = maps = self.inception4b(maps)
        named["inception4c"] = maps = self.inception4c(maps)
        named["inception4d"] = maps = self.inception4d(maps)
        named["inception4e"] = maps = self.inception4e(maps)
        maps = _pool(maps, self.last_pool)
        named["inception5a"] = maps = self.inception5a(maps)
        named["inception5b"] = maps = self.inception5b(maps)
        named["pooled"] = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper."""
        logits: Tensor = self.fc(self.dropout(self.features(images)["pooled"]))
        return logits

    def forward_with_aux(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, num_classes), and those of `aux1` and `aux2` where the heads were built."""
        named = self.features(images)
        logits = self.fc(self.dropout(named["pooled"]))
        if not self.aux_heads:
            return logits, {}
        return logits, {"aux1": self.aux1(named["inception4a"]), "aux2": self.aux2(named["inception4d"])}


def _pool(maps: Tensor, kernel: int = 3) -> Tensor:
    return F.max_pool2d(maps, kernel, stride=2, ceil_mode=True)


def googlenet_2014(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_heads: bool = True,
    dropout: float = 0.4,
    aux_dropout: float = 0.7,
) -> GoogLeNet:
    """The paper's GoogLeNet: 6,998,552 parameters, 13,378,280 with the auxiliary heads."""
    net = GoogLeNet(
        paper=True,
        num_classes=num_classes,
        in_channels=in_channels,
        aux_heads=aux_heads,
        dropout=dropout,
        aux_dropout=aux_dropout,
    )
    fill(net, caffe_xavier_, bias=0.2)
    for classifier in (net.fc, *((net.aux1.fc2, net.aux2.fc2) if aux_heads else ())):
        nn.init.zeros_(classifier.bias)
    return net


def googlenet(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_heads: bool = True,
    dropout: float = 0.2,
    aux_dropout: float = 0.7,
    transform_input: bool = False,
) -> GoogLeNet:
    """GoogLeNet as torchvision has it: 6,624,904 parameters, 13,004,888 with the auxiliary heads."""
    net = GoogLeNet(
        paper=False,
        num_classes=num_classes,
        in_channels=in_channels,
        aux_heads=aux_heads,
        dropout=dropout,
        aux_dropout=aux_dropout,
        transform_input=transform_input,
    )
    fill(net, filler("truncated_normal", 0.01))
    return net
