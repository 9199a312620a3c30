from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.explain.chain_rule import CURVES, all_chains, chain

TORCH = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


@given(
    name=st.sampled_from(sorted(CURVES)),
    depth=st.integers(1, 12),
    weight=st.floats(-3, 3),
    bias=st.floats(-1, 1),
    start=st.floats(-2, 2),
    shortcut=st.booleans(),
)
def test_products_are_what_autograd_says(
    name: str, depth: int, weight: float, bias: float, start: float, shortcut: bool
) -> None:
    found = chain(name, depth=depth, weight=weight, bias=bias, start=start, shortcut=shortcut)
    value = x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    for product, activation in zip(found.products, found.activations, strict=True):
        made = TORCH[name](weight * value + bias)
        value = value + made if shortcut else made
        [gradient] = torch.autograd.grad(value, x, retain_graph=True)
        assert product == pytest.approx(float(gradient), rel=1e-9, abs=1e-12)
        assert activation == pytest.approx(float(value.detach()), rel=1e-9, abs=1e-12)


def test_the_textbooks_bound() -> None:
    found = chain("sigmoid", depth=20)
    assert all(factor <= 0.25 for factor in found.factors)
    assert found.products[-1] < 0.25**20
    assert chain("sigmoid", depth=20, shortcut=True).products[-1] > 1
    assert chain("relu", depth=50).products[-1] == 1


def test_all_six() -> None:
    assert [(each.activation, each.shortcut) for each in all_chains(depth=3)] == [
        (name, shortcut) for name in ("sigmoid", "tanh", "relu") for shortcut in (False, True)
    ]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'sigmoid'"):
        chain("sigmoyd", depth=3)
    with pytest.raises(UsageError, match="depth of 0"):
        chain("relu", depth=0)
