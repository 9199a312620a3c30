"""AlexNet: `alexnet_2012`, `caffenet` and torchvision's `alexnet`.

Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks",
section 3.5 and Figure 2, for 227x227 images; each GPU of the paper is a group here:

| layer | filters          | then                   | output            | parameters |
|-------|------------------|------------------------|-------------------|------------|
| conv1 | 96, 11x11/4      | ReLU, LRN, pool 3/2    | 55x55, then 27x27 | 34,944     |
| conv2 | 256, 5x5, groups | ReLU, LRN, pool 3/2    | 27x27, then 13x13 | 307,456    |
| conv3 | 384, 3x3         | ReLU                   | 13x13             | 885,120    |
| conv4 | 384, 3x3, groups | ReLU                   | 13x13             | 663,936    |
| conv5 | 256, 3x3, groups | ReLU, pool 3/2         | 13x13, then 6x6   | 442,624    |
| fc6   | 4096             | ReLU, dropout 0.5      |                   | 37,752,832 |
| fc7   | 4096             | ReLU, dropout 0.5      |                   | 16,781,312 |
| fc8   | 1000             |                        |                   | 4,097,000  |

`caffenet` pools before it normalises (BVLC's reference network). `alexnet` is the one-tower network of
Krizhevsky 2014 (arXiv:1404.5997) as torchvision has it, for 224x224 images: widths 64, 192, 384, 256, 256, no
groups, no LRN.

Differences:
- The paper says 224x224 images, but 11x11/4 gives 55x55 maps from 227x227; these two take that size only.
- LRN has the paper's constants (alpha on the sum, k = 2) in `alexnet_2012`; Caffe's in `caffenet` (k = 1,
  alpha 1e-4 / 5 on the sum), as its weights expect.
- `caffenet` also starts as Caffe's file: biases 0.1 instead of 1, fc6 and fc7 from N(0, 0.005).
- `alexnet` drops out before fc6 and fc7 (torchvision), averages to 6x6 so that images of 63 pixels and more
  work, and starts as the 2012 paper says; torchvision leaves torch's own start. Its `classifier` is all three
  layers.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.initialise import fill, filler
from cnnlab.models.layers import (
    FeatureSequence,
    LocalResponseNorm,
    Network,
    features_alias,
    head_alias,
    linear_without_init,
)

GROUPED = ((96, 11), (256, 5), (384, 3), (384, 3), (256, 3))  # filters and their side, conv1 to conv5
ONE_TOWER = ((64, 11), (192, 5), (384, 3), (256, 3), (256, 3))
HIDDEN = 4096


class AlexNet2012(Network):
    """The paper's network; `norm_first` False pools before it normalises, as CaffeNet."""

    head = "fc8"
    classifier = head_alias("fc8")
    smallest_pixels = 227

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        dropout: float,
        norm: LocalResponseNorm,
        norm_first: bool,
    ) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.norm, self.norm_first = norm, norm_first
        (c1, k1), (c2, k2), (c3, k3), (c4, k4), (c5, k5) = GROUPED
        self.conv1 = nn.Conv2d(in_channels, c1, k1, stride=4)
        self.conv2 = nn.Conv2d(c1, c2, k2, padding=2, groups=2)
        self.conv3 = nn.Conv2d(c2, c3, k3, padding=1)
        self.conv4 = nn.Conv2d(c3, c4, k4, padding=1, groups=2)
        self.conv5 = nn.Conv2d(c4, c5, k5, padding=1, groups=2)
        self.dropout = nn.Dropout(dropout)
        self.fc6 = linear_without_init(c5 * 6 * 6, HIDDEN)
        self.fc7 = linear_without_init(HIDDEN, HIDDEN)
        self.fc8 = linear_without_init(HIDDEN, num_classes)

    def pool(self, maps: Tensor) -> Tensor:
        """Overlapping max pooling and normalisation, in the paper's order or Caffe's."""
        if self.norm_first:
            return F.max_pool2d(self.norm(maps), 3, stride=2)
        pooled: Tensor = self.norm(F.max_pool2d(maps, 3, stride=2))
        return pooled

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1`, `pool1`, ..., `pool5` (N, C, H, W), `fc6` and `fc7` (N, 4096); fc8 reads the last."""
        self.check_images(images)
        if images.shape[2] != self.smallest_pixels or images.shape[3] != self.smallest_pixels:
            raise UsageError(f"images of shape {tuple(images.shape)}; AlexNet of 2012 takes 227x227 pixels only")
        maps = self.maps(images)
        return {**maps, **self.units(maps["pool5"])}

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1`, `pool1`, ..., `pool5` (N, C, H, W) of images of any size; 6x6 in the end at 227x227."""
        conv1 = F.relu(self.conv1(images), inplace=True)
        pool1 = self.pool(conv1)
        conv2 = F.relu(self.conv2(pool1), inplace=True)
        pool2 = self.pool(conv2)
        conv3 = F.relu(self.conv3(pool2), inplace=True)
        conv4 = F.relu(self.conv4(conv3), inplace=True)
        conv5 = F.relu(self.conv5(conv4), inplace=True)
        pool5 = F.max_pool2d(conv5, 3, stride=2)
        convolved = {"conv1": conv1, "pool1": pool1, "conv2": conv2, "pool2": pool2, "conv3": conv3}
        return {**convolved, "conv4": conv4, "conv5": conv5, "pool5": pool5}

    def units(self, pool5: Tensor) -> dict[str, Tensor]:
        """`fc6` and `fc7` (N, 4096) of 6x6 maps (N, 256, 6, 6)."""
        fc6 = self.dropout(F.relu(self.fc6(pool5.flatten(1)), inplace=True))
        fc7 = self.dropout(F.relu(self.fc7(fc6), inplace=True))
        return {"fc6": fc6, "fc7": fc7}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, 227, 227)."""
        logits: Tensor = self.fc8(self.features(images)["fc7"])
        return logits


class AlexNet(Network):
    """torchvision's AlexNet."""

    features = features_alias()
    smallest_pixels = 63

    def __init__(self, *, num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.features = FeatureSequence(
            one_tower(in_channels),
            network="AlexNet",
            in_channels=in_channels,
            smallest=self.smallest_pixels,
            pooled_pixels=6,
        )
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            linear_without_init(ONE_TOWER[-1][0] * 6 * 6, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            linear_without_init(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            linear_without_init(HIDDEN, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, H, W); 224x224 in the paper."""
        logits: Tensor = self.classifier(self.features(images)["pooled"])
        return logits


def one_tower(in_channels: int) -> list[nn.Module | str]:
    """The convolutional layers of the one-tower network, each stage named after its last layer."""
    (c1, k1), (c2, k2), (c3, k3), (c4, k4), (c5, k5) = ONE_TOWER
    return [
        *(nn.Conv2d(in_channels, c1, k1, stride=4, padding=2), nn.ReLU(inplace=True), "conv1"),
        *(nn.MaxPool2d(3, stride=2), "pool1"),
        *(nn.Conv2d(c1, c2, k2, padding=2), nn.ReLU(inplace=True), "conv2"),
        *(nn.MaxPool2d(3, stride=2), "pool2"),
        *(nn.Conv2d(c2, c3, k3, padding=1), nn.ReLU(inplace=True), "conv3"),
        *(nn.Conv2d(c3, c4, k4, padding=1), nn.ReLU(inplace=True), "conv4"),
        *(nn.Conv2d(c4, c5, k5, padding=1), nn.ReLU(inplace=True), "conv5"),
        *(nn.MaxPool2d(3, stride=2), "pool5"),
    ]


def start_as_2012(network: nn.Module, bias: float) -> None:
    """Weights from N(0, 0.01); biases 0, but `bias` in conv2, conv4, conv5 and the hidden layers (section 5)."""
    fill(network, filler("gaussian", 0.01))
    weighted = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for number in (2, 4, 5, 6, 7):
        biases = weighted[number - 1].bias
        assert biases is not None
        nn.init.constant_(biases, bias)


def alexnet(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNet:
    """AlexNet as torchvision has it: 61,100,840 parameters."""
    net = AlexNet(num_classes=num_classes, in_channels=in_channels, dropout=dropout)
    start_as_2012(net, bias=1.0)
    return net


def alexnet_2012(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNet2012:
    """The network of 2012, with two groups and LRN: 60,965,224 parameters."""
    net = AlexNet2012(
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        norm=LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=2.0),
        norm_first=True,
    )
    start_as_2012(net, bias=1.0)
    return net


def caffenet(*, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> AlexNet2012:
    """BVLC's reference network: AlexNet with pooling before normalisation, 60,965,224 parameters."""
    net = AlexNet2012(
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=dropout,
        norm=LocalResponseNorm(size=5, alpha=1e-4 / 5, beta=0.75, k=1.0),
        norm_first=False,
    )
    start_as_2012(net, bias=0.1)
    nn.init.normal_(net.fc6.weight, std=0.005)
    nn.init.normal_(net.fc7.weight, std=0.005)
    return net
