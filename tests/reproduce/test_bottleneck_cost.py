from __future__ import annotations

from torch import nn

from cnnlab.reproduce.bottleneck_cost import count, read, weights
from cnnlab.reproduce.judge import verdict


def test_the_counts_are_the_papers() -> None:
    bottleneck = 256 * 64 + 64 * 64 * 9 + 64 * 256
    assert list(count().values()) == [bottleneck, 2 * 256 * 256 * 9, 2 * 64 * 64 * 9] == [69_632, 1_179_648, 73_728]
    assert verdict(read({}).claims).holds is True


def test_only_convolutions_are_counted() -> None:
    assert weights(nn.Sequential(nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3))) == 6
