"""Residual and plain networks for 32x32 images. He et al. 2015 (arXiv:1512.03385), section 4.2.

The paper's table, with n blocks a stage and 6n + 2 weighted layers:

| output map size | 32x32  | 16x16 | 8x8 |
|-----------------|--------|-------|-----|
| # layers        | 1 + 2n | 2n    | 2n  |
| # filters       | 16     | 32    | 64  |

then global average pooling and a 10-way fully-connected layer. n = 3, 5, 7, 9, 18, 200 gives 20, 32,
44, 56, 110, 1202 layers. A plain network is the same without the additions, and has as many parameters.

Shortcuts (section 3.3, options of Table 3): A, identity, subsampled and zero-padded where the width
grows, no parameters, the paper's only choice for CIFAR; B, a 1x1 convolution with batch normalisation
where the shape changes; C, such a convolution on every shortcut.

Differences:
- Option A puts half of the zero channels before and half after the identity, as the widely used PyTorch
  checkpoints do; the paper does not say where they go.
- state_dict keys follow torchvision's ResNet (`layer1.0.conv1.weight`, `downsample.0`, `fc`).
- `resnet_cifar` is any depth and width, not the paper's: 6n + 2 layers of basic blocks, or with `bottleneck`
  9n + 2 layers of 1x1, 3x3, 1x1 blocks with four times the outputs and the stride on the 3x3, as in
  bearpaw/pytorch-classification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network, head_alias, normed

Shortcut = Literal["A", "B", "C"]
WIDTHS = (16, 32, 64)  # filters at map sizes 32, 16, 8


class ZeroPadShortcut(nn.Module):
    """Option A: every second pixel where `stride` is 2, and zeros for the channels that are new."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, out_channels, ceil(H / stride), ceil(W / stride)) for maps (N, in_channels, H, W)."""
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def shortcut_for(option: Shortcut, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """The shortcut of one block, or None where it is the identity."""
    same_shape = stride == 1 and in_channels == out_channels
    if option == "A":
        return None if same_shape else ZeroPadShortcut(in_channels, out_channels, stride)
    if option == "B" and same_shape:
        return None
    projection = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
    return nn.Sequential(projection, nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each batch-normalised, and a shortcut added before the last ReLU (Figure 2)."""

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: Shortcut | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.residual = shortcut is not None
        self.downsample = shortcut_for(shortcut, in_channels, channels, stride) if shortcut else None

    def branch(self, images: Tensor) -> Tensor:
        """What is added to the shortcut."""
        maps: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(images)), inplace=True)))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = self.branch(images)
        if self.residual:
            maps += images if self.downsample is None else self.downsample(images)  # in place: one map less to write
        return F.relu(maps, inplace=True)


class BottleneckBlock(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolutions, each batch-normalised, and a shortcut; 4 channels outputs."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: Shortcut | None) -> None:
        super().__init__()
        outputs = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut_for(shortcut or "A", in_channels, outputs, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (N, 4 channels, H / stride, W / stride) for maps (N, in_channels, H, W)."""
        maps = F.relu(self.bn1(self.conv1(images)), inplace=True)
        maps = F.relu(self.bn2(self.conv2(maps)), inplace=True)
        maps = self.bn3(self.conv3(maps))
        maps += images if self.downsample is None else self.downsample(images)
        return F.relu(maps, inplace=True)


Block = Callable[[int, int, int, Shortcut | None], nn.Module]


class CifarResNet(Network):
    """A 6n + 2 layer network, 9n + 2 of `BottleneckBlock`; `shortcut` None makes it plain."""

    head = "fc"
    classifier = head_alias("fc")
    idle_biases = True

    def __init__(
        self,
        layers: int,
        *,
        shortcut: Shortcut | None = "A",
        block: Block = BasicBlock,
        width: int = WIDTHS[0],
        num_classes: int = 10,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if shortcut not in (None, "A", "B", "C"):
            raise UsageError(f"no shortcut option {shortcut!r}; known: 'A', 'B', 'C', and None for a plain net")
        self.num_classes, self.in_channels = num_classes, in_channels
        expansion = BottleneckBlock.expansion if block is BottleneckBlock else 1
        blocks = blocks_of(layers, 6 if expansion == 1 else 9)
        outputs = [width, *(width * growth * expansion for growth in (1, 2, 4))]
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(block, blocks, outputs[0], width, 1, shortcut, expansion)
        self.layer2 = _stage(block, blocks, outputs[1], 2 * width, 2, shortcut, expansion)
        self.layer3 = _stage(block, blocks, outputs[2], 4 * width, 2, shortcut, expansion)
        self.fc = nn.Linear(outputs[3], num_classes)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`stem`, `layer1`, `layer2`, `layer3` (N, C, H, W) and `pooled` (N, outputs)."""
        self.check_images(images)
        stem = F.relu(self.bn1(self.conv1(images)), inplace=True)
        layer1 = self.layer1(stem)
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        pooled = layer3.mean(dim=(2, 3))
        return {"stem": stem, "layer1": layer1, "layer2": layer2, "layer3": layer3, "pooled": pooled}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 32x32 in the paper, any size works."""
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def _stage(
    block: Block,
    blocks: int,
    in_channels: int,
    channels: int,
    stride: int,
    shortcut: Shortcut | None,
    expansion: int,
) -> nn.Sequential:
    first = block(in_channels, channels, stride, shortcut)
    return nn.Sequential(first, *(block(channels * expansion, channels, 1, shortcut) for _ in range(blocks - 1)))


def blocks_of(layers: int, layers_a_block: int) -> int:
    """The n of a network of `layers_a_block` n + 2 layers.

    Raises:
        UsageError: there is no such n above 0.
    """
    blocks, rest = divmod(layers - 2, layers_a_block)
    if blocks < 1 or rest:
        known = ", ".join(str(layers_a_block * n + 2) for n in (1, 2, 3, 4))
        raise UsageError(f"{layers} layers; give {layers_a_block} n + 2: {known}, …")
    return blocks


def resnet_cifar(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    norm: bool = True,
    layers: int = 20,
    width: int = 16,
    shortcut: Shortcut | None = "A",
    bottleneck: bool = False,
) -> CifarResNet:
    """Any depth and width: 269,722 parameters as it stands, the same network as `resnet20`."""
    return normed(
        CifarResNet(
            layers,
            shortcut=shortcut,
            block=BottleneckBlock if bottleneck else BasicBlock,
            width=width,
            num_classes=num_classes,
            in_channels=in_channels,
        ),
        norm,
    )


def resnet20(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-20: n = 3, 269,722 parameters with option A."""
    return normed(CifarResNet(20, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def resnet32(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-32: n = 5, 464,154 parameters with option A."""
    return normed(CifarResNet(32, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def resnet44(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-44: n = 7, 658,586 parameters with option A."""
    return normed(CifarResNet(44, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def resnet56(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-56: n = 9, 853,018 parameters with option A."""
    return normed(CifarResNet(56, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def resnet110(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-110: n = 18, 1,727,962 parameters with option A."""
    return normed(CifarResNet(110, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def resnet1202(
    *, num_classes: int = 10, in_channels: int = 3, norm: bool = True, shortcut: Shortcut = "A"
) -> CifarResNet:
    """ResNet-1202: n = 200, 19,421,274 parameters with option A."""
    return normed(CifarResNet(1202, shortcut=shortcut, num_classes=num_classes, in_channels=in_channels), norm)


def plain20(*, num_classes: int = 10, in_channels: int = 3, norm: bool = True) -> CifarResNet:
    """ResNet-20 without the additions."""
    return normed(CifarResNet(20, shortcut=None, num_classes=num_classes, in_channels=in_channels), norm)


def plain32(*, num_classes: int = 10, in_channels: int = 3, norm: bool = True) -> CifarResNet:
    """ResNet-32 without the additions."""
    return normed(CifarResNet(32, shortcut=None, num_classes=num_classes, in_channels=in_channels), norm)


def plain44(*, num_classes: int = 10, in_channels: int = 3, norm: bool = True) -> CifarResNet:
    """ResNet-44 without the additions."""
    return normed(CifarResNet(44, shortcut=None, num_classes=num_classes, in_channels=in_channels), norm)


def plain56(*, num_classes: int = 10, in_channels: int = 3, norm: bool = True) -> CifarResNet:
    """ResNet-56 without the additions."""
    return normed(CifarResNet(56, shortcut=None, num_classes=num_classes, in_channels=in_channels), norm)


def plain110(*, num_classes: int = 10, in_channels: int = 3, norm: bool = True) -> CifarResNet:
    """ResNet-110 without the additions."""
    return normed(CifarResNet(110, shortcut=None, num_classes=num_classes, in_channels=in_channels), norm)
