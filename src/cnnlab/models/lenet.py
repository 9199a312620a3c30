"""LeNet-5 and its descendants, for digits.

LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.B, Figure 2, for 32x32
images in which a 20x20 digit is centred:

| layer  | maps   | size  | kernel        | trainable | connections |
|--------|--------|-------|---------------|-----------|-------------|
| C1     | 6      | 28x28 | 5x5           | 156       | 122,304     |
| S2     | 6      | 14x14 | 2x2, stride 2 | 12        | 5,880       |
| C3     | 16     | 10x10 | 5x5, Table I  | 1,516     | 151,600     |
| S4     | 16     | 5x5   | 2x2, stride 2 | 32        | 2,000       |
| C5     | 120    | 1x1   | 5x5           | 48,120    | 48,120      |
| F6     | 84     |       |               | 10,164    | 10,164      |
| output | 10     |       | RBF           | 0 (840)   | 840         |

60,000 trainable parameters and 340,908 connections. `lenet5` is that network; `lenet5_modern` is what most
tutorials mean by LeNet-5; `lenet_caffe` is the one in Caffe's MNIST example, which is neither.

Differences:
- Logits of `lenet5` are the negated RBF distances, so that the nearest class has the largest one. The loss of
  the paper (equations 8 and 9) is then minus the right class's logit, plus the discriminative term.
- The paper's bitmaps are drawn for all of ASCII (its Figure 3); ours were drawn anew, for the ten digits.
  With another number of classes the targets are random codes of -1 and +1, which the paper allows.
- The coefficient of a subsampling unit starts as any weight does, in +-2.4 / 4 for its four inputs.
- C5 sees exactly 5x5 maps, so these networks take one size of images only: 32x32 (pad 28x28 by 2).
- `lenet5_modern`: every C3 map sees every S2 map, ReLU, max pooling without parameters, a linear output,
  He's initialisation; 61,706 parameters.
- `lenet5_modern` with `activation="sigmoid"`, `pool="average"` is Dive into Deep Learning's; with `padding=2` its
  first convolution pads, for images of 28x28.
- `lenet_caffe`: 28x28 images, 20 and 50 maps, 500 hidden ReLU units, no non-linearity between its
  convolutions, Caffe's Xavier initialisation; 431,080 parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.initialise import caffe_xavier_, fill, filler, lecun_
from cnnlab.models.layers import Network, head_alias

TABLE_I = (  # C3 map: the S2 maps it sees
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)
BITMAPS = """
..###.. ...#... .#####. .#####. .....#. ####### ..####. ####### ..###.. ..###..
.#...#. ..##... #.....# #.....# ....##. #...... .#....# ......# .#...#. .#...#.
#.....# .#.#... ......# ......# ...#.#. #...... #...... .....#. #.....# #.....#
#.....# ...#... ......# ......# ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. .....#. .#...#. #.####. #.###.. ....#.. .#...#. #.....#
#.....# ...#... ....#.. ..###.. #....#. ##....# ##...#. ....#.. ..###.. .#...##
#.....# ...#... ...#... .....#. ####### ......# #.....# ...#... .#...#. ..###.#
#.....# ...#... ..#.... ......# .....#. ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# .....#. ......# #.....# ..#.... #.....# ......#
#.....# ...#... #...... ......# .....#. #.....# #.....# ..#.... #.....# ......#
.#...#. ...#... #...... #.....# .....#. .#...#. .#...#. .#..... .#...#. #....#.
..###.. .#####. ####### .#####. .....#. ..###.. ..###.. .#..... ..###.. .####..
"""


def squash(activations: Tensor) -> Tensor:
    """1.7159 tanh(2/3 a): f(1) = 1 and f(-1) = -1, the steepest curvature there (appendix A)."""
    return 1.7159 * torch.tanh(activations * (2 / 3))


def only_size(images: Tensor, network: Network, pixels: int) -> None:
    """Refuse images that are not (N, in_channels, pixels, pixels).

    Raises:
        UsageError: says the shape seen and the one size the network takes.
    """
    network.check_images(images)
    if images.shape[2] != pixels or images.shape[3] != pixels:
        raise UsageError(
            f"images of shape {tuple(images.shape)}; {type(network).__name__} takes {pixels}x{pixels} pixels only; "
            "pad or resize them"
        )


class Subsampling(nn.Module):
    """S2, S4: the sum of four neighbours, times a trainable coefficient, plus a trainable bias, squashed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, 1).uniform_(-2.4 / 4, 2.4 / 4))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H / 2, W / 2)."""
        return squash(F.avg_pool2d(maps, 2, divisor_override=1) * self.weight + self.bias)


class SparseConv(nn.Module):
    """C3: a 5x5 convolution in which each map sees the S2 maps of Table I; 60 kernels and 16 biases.

    Maps that see three, four and six others are three grouped convolutions.
    """

    seen_by_three: Tensor
    seen_by_four: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.three = nn.Conv2d(18, 6, kernel_size=5, groups=6)
        self.four = nn.Conv2d(36, 9, kernel_size=5, groups=9)
        self.six = nn.Conv2d(6, 1, kernel_size=5)
        self.register_buffer("seen_by_three", torch.tensor(TABLE_I[:6]).flatten(), persistent=False)
        self.register_buffer("seen_by_four", torch.tensor(TABLE_I[6:15]).flatten(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, 16, H - 4, W - 4) for maps (N, 6, H, W)."""
        three = self.three(maps.index_select(1, self.seen_by_three))
        four = self.four(maps.index_select(1, self.seen_by_four))
        return torch.cat((three, four, self.six(maps)), dim=1)


class RBF(nn.Module):
    """Output: minus the squared distance between F6 and the fixed target of each class."""

    targets: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("targets", bitmaps() if num_classes == 10 else random_codes(num_classes))

    def forward(self, units: Tensor) -> Tensor:
        """Logits (N, num_classes), none above 0, for F6 (N, 84)."""
        return -(units[:, None] - self.targets).square().sum(dim=2)


def bitmaps() -> Tensor:
    """The ten digits as 7x12 drawings, (10, 84): +1 for ink and -1 for paper."""
    rows = [line.split() for line in BITMAPS.split("\n") if line]
    digits = ["".join(row[digit] for row in rows) for digit in range(10)]
    return torch.tensor([[1.0 if pixel == "#" else -1.0 for pixel in digit] for digit in digits])


def random_codes(num_classes: int) -> Tensor:
    """Targets (num_classes, 84) of -1 and +1, the same ones each time."""
    generator = torch.Generator().manual_seed(1998)
    return torch.randint(2, (num_classes, 84), generator=generator, device="cpu") * 2.0 - 1.0


class LeNet5(Network):
    """LeNet-5 as of 1998."""

    head = "output"
    classifier = head_alias("output")
    smallest_pixels = 32

    def __init__(self, *, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5)
        self.s2 = Subsampling(6)
        self.c3 = SparseConv()
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, kernel_size=5)
        self.f6 = nn.Linear(120, 84)
        self.output = RBF(num_classes)
        fill(self, lecun_)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`c1`, `s2`, `c3`, `s4`, `c5` (N, C, H, W) and `f6` (N, 84), which is what the output reads."""
        only_size(images, self, 32)
        maps = self.maps(images)
        return {**maps, **self.units(maps["c5"])}

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """`c1`, `s2`, `c3`, `s4` and `c5` (N, C, H, W) of images of any size; c5 is 1x1 at 32x32."""
        c1 = squash(self.c1(images))
        s2 = self.s2(c1)
        c3 = squash(self.c3(s2))
        s4 = self.s4(c3)
        return {"c1": c1, "s2": s2, "c3": c3, "s4": s4, "c5": squash(self.c5(s4))}

    def units(self, c5: Tensor) -> dict[str, Tensor]:
        """`f6` (N, 84) of maps (N, 120, 1, 1)."""
        return {"f6": squash(self.f6(c5.flatten(1)))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes), minus the distances, for images (N, in_channels, 32, 32), mean 0, variance 1."""
        logits: Tensor = self.output(self.features(images)["f6"])
        return logits


Activation = Literal["relu", "sigmoid", "tanh"]
Pool = Literal["max", "average"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
POOLS: dict[str, Callable[[Tensor, int], Tensor]] = {"max": F.max_pool2d, "average": F.avg_pool2d}


class LeNet5Modern(Network):
    """LeNet-5 with today's parts."""

    head = "f7"
    classifier = head_alias("f7")
    smallest_pixels = 32

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 1,
        activation: Activation = "relu",
        pool: Pool = "max",
        padding: Literal[0, 2] = 0,
    ) -> None:
        super().__init__()
        known = (("activation", activation, ACTIVATIONS), ("pool", pool, POOLS), ("padding", padding, (0, 2)))
        for option, value, values in known:
            if value not in values:
                raise UsageError(f"no {option} {value!r}; known: {', '.join(map(repr, values))}")
        self.activate, self.pool = ACTIVATIONS[activation], POOLS[pool]
        self.smallest_pixels = 32 - 2 * padding
        self.num_classes, self.in_channels = num_classes, in_channels
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)
        self.c5 = nn.Conv2d(16, 120, kernel_size=5)
        self.f6 = nn.Linear(120, 84)
        self.f7 = nn.Linear(84, num_classes)
        fill(self, filler("he_fan_in"))

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`c1`, `s2`, `c3`, `s4`, `c5` (N, C, H, W) and `f6` (N, 84), which is what the classifier reads."""
        only_size(images, self, self.smallest_pixels)
        maps = self.maps(images)
        return {**maps, **self.units(maps["c5"])}

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """`c1`, `s2`, `c3`, `s4` and `c5` (N, C, H, W) of images of any size; c5 is 1x1 at 32x32."""
        c1 = self.activate(self.c1(images))
        s2 = self.pool(c1, 2)
        c3 = self.activate(self.c3(s2))
        s4 = self.pool(c3, 2)
        return {"c1": c1, "s2": s2, "c3": c3, "s4": s4, "c5": self.activate(self.c5(s4))}

    def units(self, c5: Tensor) -> dict[str, Tensor]:
        """`f6` (N, 84) of maps (N, 120, 1, 1)."""
        return {"f6": self.activate(self.f6(c5.flatten(1)))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, 32, 32); 28x28 with padding."""
        logits: Tensor = self.f7(self.features(images)["f6"])
        return logits


class LeNetCaffe(Network):
    """Caffe's `examples/mnist/lenet.prototxt`."""

    head = "ip2"
    classifier = head_alias("ip2")
    smallest_pixels = 28

    def __init__(self, *, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        self.conv1 = nn.Conv2d(in_channels, 20, kernel_size=5)
        self.conv2 = nn.Conv2d(20, 50, kernel_size=5)
        self.ip1 = nn.Linear(50 * 4 * 4, 500)
        self.ip2 = nn.Linear(500, num_classes)
        fill(self, caffe_xavier_)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1`, `pool1`, `conv2`, `pool2` (N, C, H, W) and `ip1` (N, 500), which is what the classifier reads."""
        only_size(images, self, 28)
        maps = self.maps(images)
        return {**maps, **self.units(maps["pool2"])}

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """`conv1`, `pool1`, `conv2` and `pool2` (N, C, H, W) of images of any size; pool2 is 4x4 at 28x28."""
        conv1 = self.conv1(images)
        pool1 = F.max_pool2d(conv1, 2)
        conv2 = self.conv2(pool1)
        return {"conv1": conv1, "pool1": pool1, "conv2": conv2, "pool2": F.max_pool2d(conv2, 2)}

    def units(self, pool2: Tensor) -> dict[str, Tensor]:
        """`ip1` (N, 500) of maps (N, 50, 4, 4)."""
        return {"ip1": F.relu(self.ip1(pool2.flatten(1)), inplace=True)}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) for images (N, in_channels, 28, 28), pixels from 0 to 1."""
        logits: Tensor = self.ip2(self.features(images)["ip1"])
        return logits


def lenet5(*, num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """LeNet-5 of 1998: 60,000 parameters."""
    return LeNet5(num_classes=num_classes, in_channels=in_channels)


def lenet5_modern(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    activation: Activation = "relu",
    pool: Pool = "max",
    padding: Literal[0, 2] = 0,
) -> LeNet5Modern:
    """LeNet-5 as tutorials have it: 61,706 parameters."""
    return LeNet5Modern(
        num_classes=num_classes, in_channels=in_channels, activation=activation, pool=pool, padding=padding
    )


def lenet_caffe(*, num_classes: int = 10, in_channels: int = 1) -> LeNetCaffe:
    """Caffe's LeNet: 431,080 parameters."""
    return LeNetCaffe(num_classes=num_classes, in_channels=in_channels)
