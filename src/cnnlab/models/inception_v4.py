"""Inception-v4 and Inception-ResNet. Szegedy et al. 2016 (arXiv:1602.07261), section 3, for 299x299 images.

| part        | Inception-v4 (Figure 9) | Inception-ResNet-v1 (Fig. 15) | Inception-ResNet-v2, as released  |
|-------------|-------------------------|-------------------------------|-----------------------------------|
| stem        | 35x35x384 (Figure 3)    | 35x35x256 (Figure 14)         | 35x35x192, as v3, then 35x35x320  |
| A           | 4 (Figure 4)            | 5 (Figure 10)                 | 10, scale 0.17                    |
| reduction A | 17x17x1024 (Figure 7)   | 17x17x896                     | 17x17x1088                        |
| B           | 7 (Figure 5)            | 10 (Figure 11)                | 20, scale 0.10                    |
| reduction B | 8x8x1536 (Figure 8)     | 8x8x1792 (Figure 12)          | 8x8x2080 (Figure 18)              |
| C           | 3 (Figure 6)            | 5 (Figure 13)                 | 9, scale 0.20, and one without    |
| end         | average, dropout 0.2    | average, dropout 0.2          | 1x1 1536, average, dropout 0.2    |

A residual block adds its branches, brought to the width of its input by a linear 1x1 convolution with a bias
and no batch normalisation, times a scale (section 3.3).

Differences:
- `inception_resnet_v2` is Google's released network, 55.8 million parameters, which the reported 19.9% error
  belongs to. Its stem and its numbers of blocks (10, 20, 10) are not the figures' (5, 10, 5), and the figures
  print 1154 and 2048 channels where only 1152 and 2144 can be added.
- `inception_resnet_v1` is as drawn; the figures give no scales for its blocks, and we take those of v2.
- Without padding at their strides, as "V" in the figures and the released code.
- state_dict keys are timm's; those of v1, which timm lacks, follow v2's. timm's dropout is off by default.
- Weights start from a normal of deviation 0.1 cut at 2 deviations, as the released code's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.models.initialise import fill, filler
from cnnlab.models.layers import ConvBN, FeatureSequence, Network, features_alias, head_alias

BLOCKS = {  # network: blocks A, B, C
    "inception_v4": (4, 7, 3),
    "inception_resnet_v1": (5, 10, 5),
    "inception_resnet_v2": (10, 20, 9),
}
REDUCTION_A = {  # Table 1: k, l, m, n
    "inception_v4": (192, 224, 256, 384),
    "inception_resnet_v1": (192, 192, 256, 384),
    "inception_resnet_v2": (256, 256, 384, 384),
}
SCALES = (0.17, 0.10, 0.20)  # of the residuals in blocks A, B, C
Kernel = int | tuple[int, int]


def branch(in_channels: int, *convs: tuple[int, Kernel] | tuple[int, Kernel, str]) -> nn.Module:
    """Convolutions in a row, each (channels, kernel), padded to keep the size; "/2" or "V" as third: not padded."""
    layers: list[nn.Module] = []
    for channels, kernel, *how in convs:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if how else (height // 2, width // 2)
        layers.append(ConvBN(in_channels, channels, kernel, stride=2 if how == ["/2"] else 1, padding=padding))
        in_channels = channels
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def pooled(in_channels: int, channels: int) -> nn.Sequential:
    """Average pooling that leaves the padding out of its counts, then a 1x1 convolution."""
    average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return nn.Sequential(average, ConvBN(in_channels, channels, 1))


def max_pool() -> nn.MaxPool2d:
    """Max pooling to half the size, without padding."""
    return nn.MaxPool2d(3, stride=2)


class SideBySide(nn.Module):
    """Branches on the same maps, joined in order; `names` are those of the branches in the state_dict."""

    def __init__(self, *branches: nn.Module, names: tuple[str, ...] = ()) -> None:
        super().__init__()
        for index, module in enumerate(branches):
            self.add_module(names[index] if names else f"branch{index}", module)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, sum of the branches, H', W') for maps (N, C, H, W)."""
        return torch.cat([module(maps) for module in self.children()], dim=1)


def stem_v4(in_channels: int) -> list[nn.Module | str]:
    """Figure 3: 384 maps of 35x35."""
    return [
        branch(in_channels, (32, 3, "/2")),
        branch(32, (32, 3, "V")),
        *(branch(32, (64, 3)), "stem"),
        *(SideBySide(max_pool(), branch(64, (96, 3, "/2")), names=("maxpool", "conv")), "mixed_3a"),
        SideBySide(
            branch(160, (64, 1), (96, 3, "V")),
            branch(160, (64, 1), (64, (1, 7)), (64, (7, 1)), (96, 3, "V")),
        ),
        "mixed_4a",
        *(SideBySide(branch(192, (192, 3, "/2")), max_pool(), names=("conv", "maxpool")), "mixed_5a"),
    ]


def inception_a() -> SideBySide:
    """Figure 4, on 35x35 maps."""
    return SideBySide(
        branch(384, (96, 1)),
        branch(384, (64, 1), (96, 3)),
        branch(384, (64, 1), (96, 3), (96, 3)),
        pooled(384, 96),
    )


def reduction_a(network: str, in_channels: int) -> SideBySide:
    """Figure 7, from 35x35 to 17x17, with the widths of Table 1."""
    k, l, m, n = REDUCTION_A[network]  # noqa: E741 - the paper's letters
    return SideBySide(
        branch(in_channels, (n, 3, "/2")),
        branch(in_channels, (k, 1), (l, 3), (m, 3, "/2")),
        max_pool(),
    )


def inception_b() -> SideBySide:
    """Figure 5, on 17x17 maps."""
    return SideBySide(
        branch(1024, (384, 1)),
        branch(1024, (192, 1), (224, (1, 7)), (256, (7, 1))),
        branch(1024, (192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
        pooled(1024, 128),
    )


def reduction_b() -> SideBySide:
    """Figure 8, from 17x17 to 8x8."""
    return SideBySide(
        branch(1024, (192, 1), (192, 3, "/2")),
        branch(1024, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, "/2")),
        max_pool(),
    )


class InceptionC(nn.Module):
    """Figure 6, on 8x8 maps; two of its branches end in a 1x3 beside a 3x1."""

    def __init__(self) -> None:
        super().__init__()
        self.branch0 = ConvBN(1536, 256, 1)
        self.branch1_0 = ConvBN(1536, 384, 1)
        self.branch1_1a = ConvBN(384, 256, (1, 3), padding=(0, 1))
        self.branch1_1b = ConvBN(384, 256, (3, 1), padding=(1, 0))
        self.branch2_0 = ConvBN(1536, 384, 1)
        self.branch2_1 = ConvBN(384, 448, (3, 1), padding=(1, 0))
        self.branch2_2 = ConvBN(448, 512, (1, 3), padding=(0, 1))
        self.branch2_3a = ConvBN(512, 256, (1, 3), padding=(0, 1))
        self.branch2_3b = ConvBN(512, 256, (3, 1), padding=(1, 0))
        self.branch3 = pooled(1536, 256)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, 1536, H, W) for maps of the same shape."""
        one = self.branch1_0(maps)
        two = self.branch2_2(self.branch2_1(self.branch2_0(maps)))
        ones = (self.branch1_1a(one), self.branch1_1b(one))
        twos = (self.branch2_3a(two), self.branch2_3b(two))
        return torch.cat((self.branch0(maps), *ones, *twos, self.branch3(maps)), dim=1)


class InceptionV4(Network):
    """Figure 9."""

    features = features_alias()
    head = "last_linear"
    classifier = head_alias("last_linear")
    smallest_pixels = 75

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        a, b, c = BLOCKS["inception_v4"]
        layers: list[nn.Module | str] = [
            *stem_v4(in_channels),
            *(inception_a() for _ in range(a)),
            "inception_a",
            *(reduction_a("inception_v4", 384), "reduction_a"),
            *(inception_b() for _ in range(b)),
            "inception_b",
            *(reduction_b(), "reduction_b"),
            *(InceptionC() for _ in range(c)),
            "inception_c",
        ]
        self.features = FeatureSequence(
            layers,
            network="InceptionV4",
            in_channels=in_channels,
            smallest=self.smallest_pixels,
            pooled_pixels=1,
        )
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1536, num_classes)
        fill(self, filler("truncated_normal", 0.1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 299x299 in the paper."""
        logits: Tensor = self.last_linear(self.dropout(self.features(images)["pooled"]))
        return logits


class ResidualInception(nn.Module):
    """Input plus `scale` times the branches, made as wide as the input by a linear 1x1 convolution; then ReLU."""

    def __init__(self, channels: int, *branches: tuple[nn.Module, int], scale: float, relu: bool = True) -> None:
        super().__init__()
        self.names = [f"branch{index}" for index in range(len(branches))]
        for name, (module, _) in zip(self.names, branches, strict=True):
            self.add_module(name, module)
        self.conv2d = nn.Conv2d(sum(width for _, width in branches), channels, kernel_size=1)
        self.scale, self.relu = scale, relu

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, channels, H, W) for maps of the same shape."""
        joined = torch.cat([self.get_submodule(name)(maps) for name in self.names], dim=1)
        maps = torch.add(maps, self.conv2d(joined), alpha=self.scale)
        return F.relu(maps, inplace=True) if self.relu else maps


def block35(channels: int, widths: tuple[int, int]) -> ResidualInception:
    """Inception-ResNet-A, Figures 10 and 16: `widths` of the third branch's 3x3 convolutions."""
    second, third = widths
    return ResidualInception(
        channels,
        (branch(channels, (32, 1)), 32),
        (branch(channels, (32, 1), (32, 3)), 32),
        (branch(channels, (32, 1), (second, 3), (third, 3)), third),
        scale=SCALES[0],
    )


def block17(channels: int, first: int, widths: tuple[int, int]) -> ResidualInception:
    """Inception-ResNet-B, Figures 11 and 17: `widths` of the 1x7 and the 7x1 convolution after a 1x1 of 128."""
    row, column = widths
    return ResidualInception(
        channels,
        (branch(channels, (first, 1)), first),
        (branch(channels, (128, 1), (row, (1, 7)), (column, (7, 1))), column),
        scale=SCALES[1],
    )


def block8(channels: int, widths: tuple[int, int], *, scale: float = SCALES[2], relu: bool = True) -> ResidualInception:
    """Inception-ResNet-C, Figures 13 and 19: `widths` of the 1x3 and the 3x1 convolution."""
    row, column = widths
    return ResidualInception(
        channels,
        (branch(channels, (192, 1)), 192),
        (branch(channels, (192, 1), (row, (1, 3)), (column, (3, 1))), column),
        scale=scale,
        relu=relu,
    )


def residual_reduction_b(in_channels: int, widths: tuple[int, int, int, int]) -> SideBySide:
    """Figures 12 and 18, from 17x17 to 8x8: `widths` of the 3x3 convolutions after 1x1 ones of 256."""
    first, second, third, fourth = widths
    return SideBySide(
        branch(in_channels, (256, 1), (first, 3, "/2")),
        branch(in_channels, (256, 1), (second, 3, "/2")),
        branch(in_channels, (256, 1), (third, 3), (fourth, 3, "/2")),
        max_pool(),
    )


class InceptionResNetV1(Network):
    """Figure 15, with the blocks of Figures 10 to 14."""

    head = "classif"
    classifier = head_alias("classif")
    smallest_pixels = 75

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        a, b, c = BLOCKS["inception_resnet_v1"]
        self.conv2d_1a = branch(in_channels, (32, 3, "/2"))
        self.conv2d_2a = branch(32, (32, 3, "V"))
        self.conv2d_2b = branch(32, (64, 3))
        self.conv2d_3b = branch(64, (80, 1))
        self.conv2d_4a = branch(80, (192, 3, "V"))
        self.conv2d_4b = branch(192, (256, 3, "/2"))
        self.repeat = nn.Sequential(*(block35(256, (32, 32)) for _ in range(a)))
        self.mixed_6a = reduction_a("inception_resnet_v1", 256)
        self.repeat_1 = nn.Sequential(*(block17(896, 128, (128, 128)) for _ in range(b)))
        self.mixed_7a = residual_reduction_b(896, (384, 256, 256, 256))
        self.repeat_2 = nn.Sequential(*(block8(1792, (192, 192)) for _ in range(c)))
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(1792, num_classes)
        fill(self, filler("truncated_normal", 0.1))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv2d_2b`, `conv2d_4b`, `repeat`, ..., `repeat_2` (N, C, H, W) and `pooled` (N, 1792)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        named["conv2d_2b"] = maps = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(images)))
        maps = self.conv2d_3b(F.max_pool2d(maps, 3, stride=2))
        named["conv2d_4b"] = maps = self.conv2d_4b(self.conv2d_4a(maps))
        named["repeat"] = maps = self.repeat(maps)
        named["mixed_6a"] = maps = self.mixed_6a(maps)
        named["repeat_1"] = maps = self.repeat_1(maps)
        named["mixed_7a"] = maps = self.mixed_7a(maps)
        named["repeat_2"] = maps = self.repeat_2(maps)
        named["pooled"] = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 299x299 in the paper."""
        logits: Tensor = self.classif(self.dropout(self.features(images)["pooled"]))
        return logits


class InceptionResNetV2(Network):
    """The released network, with the blocks of Figures 16 to 19."""

    head = "classif"
    classifier = head_alias("classif")
    smallest_pixels = 75

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        a, b, c = BLOCKS["inception_resnet_v2"]
        self.conv2d_1a = branch(in_channels, (32, 3, "/2"))
        self.conv2d_2a = branch(32, (32, 3, "V"))
        self.conv2d_2b = branch(32, (64, 3))
        self.conv2d_3b = branch(64, (80, 1))
        self.conv2d_4a = branch(80, (192, 3, "V"))
        self.mixed_5b = SideBySide(
            branch(192, (96, 1)),
            branch(192, (48, 1), (64, 5)),
            branch(192, (64, 1), (96, 3), (96, 3)),
            pooled(192, 64),
        )
        self.repeat = nn.Sequential(*(block35(320, (48, 64)) for _ in range(a)))
        self.mixed_6a = reduction_a("inception_resnet_v2", 320)
        self.repeat_1 = nn.Sequential(*(block17(1088, 192, (160, 192)) for _ in range(b)))
        self.mixed_7a = residual_reduction_b(1088, (384, 288, 288, 320))
        self.repeat_2 = nn.Sequential(*(block8(2080, (224, 256)) for _ in range(c)))
        self.block8 = block8(2080, (224, 256), scale=1.0, relu=False)
        self.conv2d_7b = branch(2080, (1536, 1))
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(1536, num_classes)
        fill(self, filler("truncated_normal", 0.1))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv2d_2b`, `conv2d_4a`, `mixed_5b`, ..., `conv2d_7b` (N, C, H, W) and `pooled` (N, 1536)."""
        self.check_images(images)
        named: dict[str, Tensor] = {}
        named["conv2d_2b"] = maps = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(images)))
        maps = self.conv2d_3b(F.max_pool2d(maps, 3, stride=2))
        named["conv2d_4a"] = maps = self.conv2d_4a(maps)
        named["mixed_5b"] = maps = self.mixed_5b(F.max_pool2d(maps, 3, stride=2))
        named["repeat"] = maps = self.repeat(maps)
        named["mixed_6a"] = maps = self.mixed_6a(maps)
        named["repeat_1"] = maps = self.repeat_1(maps)
        named["mixed_7a"] = maps = self.mixed_7a(maps)
        named["repeat_2"] = maps = self.repeat_2(maps)
        named["block8"] = maps = self.block8(maps)
        named["conv2d_7b"] = maps = self.conv2d_7b(maps)
        named["pooled"] = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        return named

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 299x299 in the paper."""
        logits: Tensor = self.classif(self.dropout(self.features(images)["pooled"]))
        return logits


def inception_v4(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> InceptionV4:
    """Inception-v4: 42,679,816 parameters."""
    return InceptionV4(num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def inception_resnet_v1(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> InceptionResNetV1:
    """Inception-ResNet-v1, as drawn: 22,756,328 parameters."""
    return InceptionResNetV1(num_classes=num_classes, in_channels=in_channels, dropout=dropout)


def inception_resnet_v2(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2) -> InceptionResNetV2:
    """Inception-ResNet-v2, as released: 55,843,464 parameters."""
    return InceptionResNetV2(num_classes=num_classes, in_channels=in_channels, dropout=dropout)
