"""Inception v3. Szegedy et al. 2015 (arXiv:1512.00567), section 6, for 299x299 images; the graph Google released.

| layer                        | output      | branches                                                  |
|------------------------------|-------------|-----------------------------------------------------------|
| Conv2d_1a 3x3/2, 2a 3x3      | 147x147x32  | no padding                                                |
| Conv2d_2b 3x3, max pool /2   | 73x73x64    | padded                                                    |
| Conv2d_3b 1x1                | 73x73x80    |                                                           |
| Conv2d_4a 3x3, max pool /2   | 35x35x192   | no padding                                                |
| Mixed_5b, 5c, 5d (Figure 5)  | 35x35x288   | 1x1; 5x5; two 3x3; pooled 1x1                             |
| Mixed_6a, /2     (Figure 10) | 17x17x768   | 3x3; two 3x3; pooled                                      |
| Mixed_6b to 6e   (Figure 6)  | 17x17x768   | 1x1; 1x7-7x1; twice 7x1-1x7; pooled 1x1                   |
| Mixed_7a, /2     (Figure 10) | 8x8x1280    | 3x3; 1x7-7x1-3x3; pooled                                  |
| Mixed_7b, 7c     (Figure 7)  | 8x8x2048    | 1x1; 1x3 beside 3x1, twice; pooled 1x1                    |
| average pool, dropout        | 2048        | then 1000 linear units                                    |

While training, an auxiliary head reads Mixed_6e; its loss counts 0.4 (0.3 in GoogLeNet). `forward` never runs
it.

Differences:
- The paper's Table 1 prints another stem (3x3 80, 3x3/2 192, 3x3 288) than the released graph that this is.
- state_dict keys are torchvision's. As there, the average pools of the branches count the padding;
  TensorFlow's do not, so converted weights see slightly other borders.
- The auxiliary head averages to 5x5 where the maps are smaller than 17x17 (images below 299), so that it works;
  torchvision's fails there.
- Dropout is 0.5 as in torchvision (0.2 in the released code). `transform_input` belongs to torchvision's
  weights, which saw pixels from -1 to 1.
- Weights start from a normal of deviation 0.1 cut at 2 deviations (0.01 and 0.001 in the auxiliary head), as
  the released code says; torchvision's cut, at 2, cuts nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.initialise import fill, filler, truncated_normal_
from cnnlab.models.layers import ConvBN, ImagenetToInceptionRange, Network, head_alias

POOL_35 = {"5b": 32, "5c": 64, "5d": 64}  # Mixed: channels of its pool projection
FACTORISED_17 = {"6b": 128, "6c": 160, "6d": 160, "6e": 192}  # Mixed: channels inside its 7x7 branches


class Inception35(nn.Module):
    """Figure 5, with a 5x5 left: (N, 224 + pool, H, W)."""

    def __init__(self, in_channels: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBN(in_channels, 64, 1)
        self.branch5x5_1 = ConvBN(in_channels, 48, 1)
        self.branch5x5_2 = ConvBN(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvBN(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBN(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBN(96, 96, 3, padding=1)
        self.branch_pool = ConvBN(in_channels, pool, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same size."""
        one = self.branch1x1(maps)
        five = self.branch5x5_2(self.branch5x5_1(maps))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        pooled = self.branch_pool(F.avg_pool2d(maps, 3, stride=1, padding=1))
        return torch.cat((one, five, double, pooled), dim=1)


class Reduction17(nn.Module):
    """Figure 10, from 35x35 to 17x17: (N, 480 + in_channels, H', W')."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = ConvBN(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvBN(in_channels, 64, 1)
        self.branch3x3dbl_2 = ConvBN(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvBN(96, 96, 3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of half the size."""
        three = self.branch3x3(maps)
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        return torch.cat((three, double, F.max_pool2d(maps, 3, stride=2)), dim=1)


class Inception17(nn.Module):
    """Figure 6, 7x7 kernels as 1x7 and 7x1: (N, 768, H, W)."""

    def __init__(self, in_channels: int, inner: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBN(in_channels, 192, 1)
        self.branch7x7_1 = ConvBN(in_channels, inner, 1)
        self.branch7x7_2 = ConvBN(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7_3 = ConvBN(inner, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = ConvBN(in_channels, inner, 1)
        self.branch7x7dbl_2 = ConvBN(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = ConvBN(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = ConvBN(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = ConvBN(inner, 192, (1, 7), padding=(0, 3))
        self.branch_pool = ConvBN(in_channels, 192, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same size."""
        one = self.branch1x1(maps)
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(maps)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(maps)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pooled = self.branch_pool(F.avg_pool2d(maps, 3, stride=1, padding=1))
        return torch.cat((one, seven, double, pooled), dim=1)


class Reduction8(nn.Module):
    """From 17x17 to 8x8: (N, 512 + in_channels, H', W')."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvBN(in_channels, 192, 1)
        self.branch3x3_2 = ConvBN(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvBN(in_channels, 192, 1)
        self.branch7x7x3_2 = ConvBN(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvBN(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvBN(192, 192, 3, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of half the size."""
        three = self.branch3x3_2(self.branch3x3_1(maps))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(maps)))
        return torch.cat((three, self.branch7x7x3_4(seven), F.max_pool2d(maps, 3, stride=2)), dim=1)


class Inception8(nn.Module):
    """Figure 7, branches that widen at their end: (N, 2048, H, W)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch1x1 = ConvBN(in_channels, 320, 1)
        self.branch3x3_1 = ConvBN(in_channels, 384, 1)
        self.branch3x3_2a = ConvBN(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = ConvBN(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = ConvBN(in_channels, 448, 1)
        self.branch3x3dbl_2 = ConvBN(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvBN(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = ConvBN(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = ConvBN(in_channels, 192, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same size."""
        one = self.branch1x1(maps)
        three = self.branch3x3_1(maps)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(maps))
        pooled = self.branch_pool(F.avg_pool2d(maps, 3, stride=1, padding=1))
        threes = (self.branch3x3_2a(three), self.branch3x3_2b(three))
        doubles = (self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double))
        return torch.cat((one, *threes, *doubles, pooled), dim=1)


class AuxiliaryHead(nn.Module):
    """Logits from Mixed_6e, batch-normalised (section 4 and Figure 8)."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = ConvBN(in_channels, 128, 1)
        self.conv1 = ConvBN(128, 768, 5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (N, num_classes) for maps (N, in_channels, H, W)."""
        large = maps.shape[2] >= 17 and maps.shape[3] >= 17
        maps = F.avg_pool2d(maps, 5, stride=3) if large else F.adaptive_avg_pool2d(maps, 5)
        maps = self.conv1(self.conv0(maps))
        logits: Tensor = self.fc(F.adaptive_avg_pool2d(maps, 1).flatten(1))
        return logits


class InceptionV3(Network):
    """The released graph."""

    head = "fc"
    classifier = head_alias("fc")
    smallest_pixels = 75

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_heads: bool = True,
        dropout: float = 0.5,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        if transform_input and in_channels != 3:
            raise UsageError(f"transform_input is for RGB images, and in_channels is {in_channels}; leave one out")
        self.transform_input = ImagenetToInceptionRange() if transform_input else nn.Identity()
        self.Conv2d_1a_3x3 = ConvBN(in_channels, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvBN(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvBN(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvBN(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvBN(80, 192, 3)
        self.Mixed_5b = Inception35(192, POOL_35["5b"])
        self.Mixed_5c = Inception35(256, POOL_35["5c"])
        self.Mixed_5d = Inception35(288, POOL_35["5d"])
        self.Mixed_6a = Reduction17(288)
        self.Mixed_6b = Inception17(768, FACTORISED_17["6b"])
        self.Mixed_6c = Inception17(768, FACTORISED_17["6c"])
        self.Mixed_6d = Inception17(768, FACTORISED_17["6d"])
        self.Mixed_6e = Inception17(768, FACTORISED_17["6e"])
        self.aux_heads = aux_heads
        if aux_heads:
            self.AuxLogits = AuxiliaryHead(768, num_classes)
        self.Mixed_7a = Reduction8(768)
        self.Mixed_7b = Inception8(1280)
        self.Mixed_7c = Inception8(2048)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        fill(self, filler("truncated_normal", 0.1))
        if aux_heads:
            truncated_normal_(self.AuxLogits.conv1.conv.weight, 0.01)
            truncated_normal_(self.AuxLogits.fc.weight, 0.001)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`Conv2d_1a` to `Conv2d_4a`, `Mixed_5b` to `Mixed_7c` (N, C, H, W) and `pooled` (N, 2048)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        named["Conv2d_1a"] = maps = self.Conv2d_1a_3x3(self.transform_input(images))
        named["Conv2d_2a"] = maps = self.Conv2d_2a_3x3(maps)
        named["Conv2d_2b"] = maps = self.Conv2d_2b_3x3(maps)
        named["Conv2d_3b"] = maps = self.Conv2d_3b_1x1(F.max_pool2d(maps, 3, stride=2))
        named["Conv2d_4a"] = maps = self.Conv2d_4a_3x3(maps)
        named["Mixed_5b"] = maps = self.Mixed_5b(F.max_pool2d(maps, 3, stride=2))
        named["Mixed_5c"] = maps = self.Mixed_5c(maps)
        named["Mixed_5d"] = maps = self.Mixed_5d(maps)
        named["Mixed_6a"] = maps = self.Mixed_6a(maps)
        named["Mixed_6b"] = maps = self.Mixed_6b(maps)
        named["Mixed_6c"] = maps = self.Mixed_6c(maps)
        named["Mixed_6d"] = maps = self.Mixed_6d(maps)
        named["Mixed_6e"] = maps = self.Mixed_6e(maps)
        named["Mixed_7a"] = maps = self.Mixed_7a(maps)
        named["Mixed_7b"] = maps = self.Mixed_7b(maps)
        named["Mixed_7c"] = maps = self.Mixed_7c(maps)
        named["pooled"] = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 299x299 in the paper."""
        logits: Tensor = self.fc(self.dropout(self.features(images)["pooled"]))
        return logits

    def forward_with_aux(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, num_classes), and those of `aux` where the head was built."""
        named = self.features(images)
        logits = self.fc(self.dropout(named["pooled"]))
        return logits, {"aux": self.AuxLogits(named["Mixed_6e"])} if self.aux_heads else {}


def inception_v3(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    aux_heads: bool = True,
    dropout: float = 0.5,
    transform_input: bool = False,
) -> InceptionV3:
    """Inception v3: 23,834,568 parameters, 27,161,264 with the auxiliary head."""
    return InceptionV3(
        num_classes=num_classes,
        in_channels=in_channels,
        aux_heads=aux_heads,
        dropout=dropout,
        transform_input=transform_input,
    )
