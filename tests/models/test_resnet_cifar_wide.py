"""ResNet-18 and 34 with a 3x3 stem."""

from __future__ import annotations

import pytest
import torch

from cnnlab.models import resnet_cifar_wide
from cnnlab.models.describe import cost


def expected_macs(blocks: tuple[int, ...]) -> int:
    """By hand: the stem, then two 3x3 convolutions a block and a projection where the width doubles, fc of 10."""
    macs, pixels, channels = 32 * 32 * 9 * 3 * 64, 32, 64
    for number, count in enumerate(blocks):
        width = 64 * 2**number
        pixels = 32 // 2**number
        macs += pixels**2 * (9 * channels * width + (2 * count - 1) * 9 * width * width)
        macs += pixels**2 * channels * width if number else 0
        channels = width
    return macs + 512 * 10


@pytest.mark.parametrize(
    ("name", "parameters", "blocks"),
    # 11.17M: facts/networks.md section 11; torchvision's ResNet-18 less its 7x7 stem and 990 classes
    [
        ("resnet18_cifar", 11_689_512 - (49 - 9) * 3 * 64 - 990 * 513, (2, 2, 2, 2)),
        ("resnet34_cifar", 21_797_672 - (49 - 9) * 3 * 64 - 990 * 513, (3, 4, 6, 3)),
    ],
)
def test_counts(name, parameters, blocks):
    with torch.device("meta"):
        found = cost(getattr(resnet_cifar_wide, name)(), 3, 32)
    assert (found.parameters, found.macs) == (parameters, expected_macs(blocks))


def test_map_sizes():
    with torch.device("meta"):
        features = resnet_cifar_wide.resnet18_cifar().features(torch.empty(1, 3, 32, 32))
    assert {name: tuple(maps.shape[1:]) for name, maps in features.items()} == {
        "stem": (64, 32, 32),
        "layer1": (64, 32, 32),
        "layer2": (128, 16, 16),
        "layer3": (256, 8, 8),
        "layer4": (512, 4, 4),
        "pooled": (512,),
    }
