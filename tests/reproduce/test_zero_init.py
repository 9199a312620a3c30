from __future__ import annotations

from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.zero_init import read, train


def test_from_zeros_only_the_last_bias_moves() -> None:
    moved = train(zero=True)["moved"]
    assert [name for name, way in moved.items() if way] == ["f7.bias"]


def test_the_verdict_holds() -> None:
    assert verdict(read({}).claims).holds is True
