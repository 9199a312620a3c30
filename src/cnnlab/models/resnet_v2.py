"""Residual networks with full pre-activation ("ResNet v2"). He et al. 2016 (arXiv:1603.05027).

Unit: BN-ReLU-conv-BN-ReLU-conv(-BN-ReLU-conv) added to the identity, nothing after the addition (Figure
4e); one more BN-ReLU before the average pool. A unit that changes shape applies its first BN-ReLU to both
paths: the branch and the 1x1 projection, which has no BN, read the activated maps.

224x224 (Table 5 and the authors' resnet-1k-layers), stem 7x7/2, 64 and 3x3/2 max pool, bottlenecks:

| maps, outputs | 56, 256 | 28, 512 | 14, 1024 | 7, 2048 |
|---------------|---------|---------|----------|---------|
| 50            | 3       | 4       | 6        | 3       |
| 101           | 3       | 4       | 23       | 3       |
| 152           | 3       | 8       | 36       | 3       |
| 200           | 3       | 24      | 36       | 3       |

32x32 (section 5), stem 3x3, 16; n units a stage:

| layers | unit       | n   | widths inside | outputs      |
|--------|------------|-----|---------------|--------------|
| 110    | basic      | 18  | 16, 32, 64    | 16, 32, 64   |
| 164    | bottleneck | 18  | 16, 32, 64    | 64, 128, 256 |
| 1001   | bottleneck | 111 | 16, 32, 64    | 64, 128, 256 |

Differences:
- The 224 networks put the stride on the 3x3 convolution as timm (and fb.resnet.torch) do; the 32x32 ones on
  the first 1x1, as the authors' file for CIFAR does.
- `resnetv2_110` shortens with option A (zeros for new channels, as ResNet-110 v1: equally many parameters)
  unless `shortcut="B"`; the paper's text does not say. Option A too reads the activated maps.
- Convolutions start from He's normal with the outputs as n, as in the authors' file; timm's classifier from
  N(0, 0.01), ours as torch's linear layers do.
- `resnetv2_18_cifar` to `152_cifar` are Table 1's widths of the first paper, 64 to 512, behind a 3x3 stem, as in
  kuangliu/pytorch-cifar, which leaves out the last BN-ReLU (`last_norm=False`); most who use it put that back.
- `resnetv2_cifar` is any depth and width for 32x32 images, 9n + 2 layers of bottlenecks or 6n + 2 of basic units.
  `stride_on` is the convolution with the stride; `projects` says what the 1x1 projection reads: the activated maps
  (the paper's code) or the sum itself (bearpaw/pytorch-classification).
- state_dict keys are timm's (`stages.0.blocks.0.norm1`), the classifier `head.fc` with the shape of a 1x1
  convolution; it reads pooled features (N, C) and may be replaced by a linear layer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, he_convolutions, head_alias
from cnnlab.models.resnet_cifar import ZeroPadShortcut, blocks_of

IMAGENET_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
IMAGENET_WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions

Projects = Literal["activated", "sum"]
MakeUnit = Callable[[int, int, int], nn.Module]  # in_channels, channels of the 3x3, stride


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """The 1x1 convolution of a unit that changes shape, without batch normalisation."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv))


class PreActBasic(nn.Module):
    """BN-ReLU-3x3-BN-ReLU-3x3 (Figure 4e); `shortcut` A or B where the shape changes."""

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        *,
        shortcut: Literal["A", "B"] = "A",
        projects: Projects = "activated",
    ) -> None:
        super().__init__()
        self.projects = projects
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            changes = ZeroPadShortcut if shortcut == "A" else projection
            self.downsample = changes(in_channels, channels, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        activated = F.relu(self.norm1(images), inplace=True)
        read = activated if self.projects == "activated" else images
        shortcut = images if self.downsample is None else self.downsample(read)
        maps = self.conv1(activated)
        maps = self.conv2(F.relu(self.norm2(maps), inplace=True))
        maps += shortcut
        return maps  # type: ignore[no-any-return]


class PreActBottleneck(nn.Module):
    """BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1; `stride_on` is the convolution that halves the maps."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        *,
        stride_on: Literal["1x1", "3x3"],
        projects: Projects = "activated",
    ) -> None:
        super().__init__()
        self.projects = projects
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        out_channels = channels * self.expansion
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, stride=first, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=second, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        changes = stride != 1 or in_channels != out_channels
        self.downsample = projection(in_channels, out_channels, stride) if changes else None

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        activated = F.relu(self.norm1(images), inplace=True)
        read = activated if self.projects == "activated" else images
        shortcut = images if self.downsample is None else self.downsample(read)
        maps = self.conv1(activated)
        maps = self.conv2(F.relu(self.norm2(maps), inplace=True))
        maps = self.conv3(F.relu(self.norm3(maps), inplace=True))
        maps += shortcut
        return maps  # type: ignore[no-any-return]


class PointwiseClassifier(nn.Conv2d):
    """A linear classifier whose weight has the shape of a 1x1 convolution (K, C, 1, 1), as timm stores it."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(in_channels, num_classes, kernel_size=1)

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits (N, K) for pooled features (N, C)."""
        return F.linear(pooled, self.weight.flatten(1), self.bias)


@dataclass(frozen=True)
class Layout:
    """Which units: how many a stage, how wide inside, how a unit is made, and how much wider its output.

    `max_pool` follows the stem, `last_norm` (with ReLU) the last unit.
    """

    units: tuple[int, ...]
    widths: tuple[int, ...]
    make_unit: MakeUnit
    expansion: int
    max_pool: bool = False
    last_norm: bool = True


class ResNetV2(Network):
    """A stem without BN, stages of pre-activation units, a last BN-ReLU, average pool and classifier."""

    head = head_alias("head")  # here the module, as timm's keys need it

    def __init__(self, stem_conv: nn.Conv2d, layout: Layout, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.stem = nn.Sequential(OrderedDict[str, nn.Module](conv=stem_conv))
        if layout.max_pool:
            self.stem.add_module("pool", nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.stages = nn.Sequential()
        channels = stem_conv.out_channels
        for number, (units, width) in enumerate(zip(layout.units, layout.widths, strict=True)):
            first = layout.make_unit(channels, width, 1 if number == 0 else 2)
            channels = width * layout.expansion
            others = (layout.make_unit(channels, width, 1) for _ in range(units - 1))
            self.stages.append(nn.Sequential(OrderedDict(blocks=nn.Sequential(first, *others))))
        self.norm = nn.BatchNorm2d(channels) if layout.last_norm else None
        he_convolutions(self)
        self._modules["head"] = nn.Sequential(OrderedDict(fc=PointwiseClassifier(channels, num_classes)))

    @property
    def classifier(self) -> nn.Module:
        """The layer that turns pooled features (N, C) into logits (N, num_classes): `head.fc`."""
        return self.get_submodule("head.fc")

    def __setattr__(self, name: str, value: object) -> None:
        if name == "classifier":
            self.get_submodule("head").fc = value  # type: ignore[assignment]
        else:
            super().__setattr__(name, value)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `stage1` and on (sums, not activated), `norm` (activated) and `pooled` (N, C)."""
        self.check_images(images)
        maps = self.stem(images)
        found = {"stem": maps}
        for number, stage in enumerate(self.stages, start=1):
            maps = stage(maps)
            found[f"stage{number}"] = maps
        if self.norm is not None:
            found["norm"] = maps = F.relu(self.norm(maps), inplace=True)
        found["pooled"] = maps.mean(dim=(2, 3))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); any size works."""
        logits: Tensor = self.classifier(self.features(images)["pooled"])
        return logits


def _imagenet(layers: int, num_classes: int, in_channels: int) -> ResNetV2:
    conv = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    make_unit = partial(PreActBottleneck, stride_on="3x3")
    layout = Layout(IMAGENET_UNITS[layers], IMAGENET_WIDTHS, make_unit, PreActBottleneck.expansion, max_pool=True)
    return ResNetV2(conv, layout, num_classes=num_classes, in_channels=in_channels)


def _cifar(
    layers: int, make_unit: MakeUnit, expansion: int, num_classes: int, in_channels: int, width: int = 16
) -> ResNetV2:
    conv = nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False)
    units = blocks_of(layers, 6 if expansion == 1 else 9)
    layout = Layout((units,) * 3, (width, 2 * width, 4 * width), make_unit, expansion)
    return ResNetV2(conv, layout, num_classes=num_classes, in_channels=in_channels)


def resnetv2_50(*, num_classes: int = 1000, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-50, 25,549,352 parameters."""
    return _imagenet(50, num_classes, in_channels)


def resnetv2_101(*, num_classes: int = 1000, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-101, 44,541,480 parameters."""
    return _imagenet(101, num_classes, in_channels)


def resnetv2_152(*, num_classes: int = 1000, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-152, 60,185,128 parameters."""
    return _imagenet(152, num_classes, in_channels)


def resnetv2_200(*, num_classes: int = 1000, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-200, 64,666,152 parameters."""
    return _imagenet(200, num_classes, in_channels)


def resnetv2_110(*, num_classes: int = 10, in_channels: int = 3, shortcut: Literal["A", "B"] = "A") -> ResNetV2:
    """Pre-activation ResNet-110 of basic units, 1,727,962 parameters with option A, 1,730,522 with B."""
    if shortcut not in ("A", "B"):
        raise UsageError(f"no shortcut option {shortcut!r}; known: 'A' and 'B'")
    make_unit = partial(PreActBasic, shortcut=shortcut)
    return _cifar(110, make_unit, PreActBasic.expansion, num_classes, in_channels)


def resnetv2_164(*, num_classes: int = 10, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-164 of bottlenecks, 1,703,258 parameters."""
    make_unit = partial(PreActBottleneck, stride_on="1x1")
    return _cifar(164, make_unit, PreActBottleneck.expansion, num_classes, in_channels)


def resnetv2_1001(*, num_classes: int = 10, in_channels: int = 3) -> ResNetV2:
    """Pre-activation ResNet-1001 of bottlenecks, 10,327,706 parameters."""
    make_unit = partial(PreActBottleneck, stride_on="1x1")
    return _cifar(1001, make_unit, PreActBottleneck.expansion, num_classes, in_channels)


def resnetv2_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    layers: int = 164,
    width: int = 16,
    bottleneck: bool = True,
    stride_on: Literal["1x1", "3x3"] = "1x1",
    shortcut: Literal["A", "B"] = "B",
    projects: Projects = "activated",
) -> ResNetV2:
    """Any depth and width: 1,703,258 parameters as it stands, the same network as `resnetv2_164`.

    Bottlenecks project (`shortcut` B); basic units have no `stride_on`.
    """
    _check_choice("shortcut", shortcut, ("A", "B"))
    _check_choice("stride_on", stride_on, ("1x1", "3x3"))
    _check_choice("projects", projects, ("activated", "sum"))
    make_unit: MakeUnit = (
        partial(PreActBottleneck, stride_on=stride_on, projects=projects)
        if bottleneck
        else partial(PreActBasic, shortcut=shortcut, projects=projects)
    )
    return _cifar(layers, make_unit, 4 if bottleneck else 1, num_classes, in_channels, width)


def _check_choice(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"no {option} {value!r}; known: {', '.join(map(repr, known))}")


def _small_images(layers: int, num_classes: int, in_channels: int, last_norm: bool) -> ResNetV2:
    conv = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
    basic = layers < 50
    make_unit: MakeUnit = partial(PreActBasic, shortcut="B") if basic else partial(PreActBottleneck, stride_on="3x3")
    expansion = PreActBasic.expansion if basic else PreActBottleneck.expansion
    layout = Layout(IMAGENET_UNITS[layers], IMAGENET_WIDTHS, make_unit, expansion, last_norm=last_norm)
    return ResNetV2(conv, layout, num_classes=num_classes, in_channels=in_channels)


def resnetv2_18_cifar(*, num_classes: int = 10, in_channels: int = 3, last_norm: bool = False) -> ResNetV2:
    """PreActResNet-18 with a 3x3 stem, @18@ parameters without the last norm."""
    return _small_images(18, num_classes, in_channels, last_norm)


def resnetv2_34_cifar(*, num_classes: int = 10, in_channels: int = 3, last_norm: bool = False) -> ResNetV2:
    """PreActResNet-34 with a 3x3 stem, @34@ parameters without the last norm."""
    return _small_images(34, num_classes, in_channels, last_norm)


def resnetv2_50_cifar(*, num_classes: int = 10, in_channels: int = 3, last_norm: bool = False) -> ResNetV2:
    """PreActResNet-50 with a 3x3 stem, @50@ parameters without the last norm."""
    return _small_images(50, num_classes, in_channels, last_norm)


def resnetv2_101_cifar(*, num_classes: int = 10, in_channels: int = 3, last_norm: bool = False) -> ResNetV2:
    """PreActResNet-101 with a 3x3 stem, @101@ parameters without the last norm."""
    return _small_images(101, num_classes, in_channels, last_norm)


def resnetv2_152_cifar(*, num_classes: int = 10, in_channels: int = 3, last_norm: bool = False) -> ResNetV2:
    """PreActResNet-152 with a 3x3 stem, @152@ parameters without the last norm."""
    return _small_images(152, num_classes, in_channels, last_norm)
