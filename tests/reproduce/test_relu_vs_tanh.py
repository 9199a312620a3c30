from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.relu_vs_tanh import fastest, plans, read, smooth, steps_to
from cnnlab.reproduce.runs import Result, Results

from .conftest import Made


def falling(result: Made, halves_every: float) -> Result:
    """A run whose training error halves every so many steps."""
    records = [
        {"step": step, "epoch": 0, "split": "train", "top1": 1 - 0.9 * 0.5 ** (step / halves_every), "loss": 1.0}
        for step in range(20, 2_001, 20)
    ]
    return replace(result(0.5), records=records)


def ran_at_each_rate(result: Made, relu: float, tanh: float) -> Results:
    """Both activations, each twice as fast at its last rate."""
    halvings = {"ReLU": relu, "tanh": tanh}
    return {
        label: (falling(result, halvings[label.partition(",")[0]] * (1 if "0.05" in label else 2)),)
        for label in plans(Budget.QUICK)
    }


def test_nothing_is_normalised_augmented_or_decayed() -> None:
    for each in plans(Budget.FULL).values():
        assert each.recipe.model_options["norm"] is False
        assert (each.recipe.augment, each.recipe.optimizer.weight_decay) == ((), 0)


def test_steps_to_the_target_are_counted_on_the_smoothed_error(result: Made) -> None:
    ran = falling(result, 200)
    (step, _), *_ = smooth(ran)
    assert step == 10 * 20
    assert steps_to(ran) == next(step for step, error in smooth(ran) if error <= 0.25)
    assert steps_to(falling(result, 1e6)) == math.inf


def test_the_fastest_rate_is_taken(result: Made) -> None:
    assert fastest(ran_at_each_rate(result, 100, 600), "tanh") == "tanh, rate 0.05"


@pytest.mark.parametrize(("relu", "tanh", "holds"), [(100, 300, True), (300, 100, False)])
def test_it_holds_where_relu_is_first_and_below(relu: float, tanh: float, holds: bool, result: Made) -> None:
    assert verdict(read(ran_at_each_rate(result, relu, tanh)).claims).holds is holds


def test_what_never_gets_there_is_said_to_be_slower_by_more(result: Made) -> None:
    found = read(ran_at_each_rate(result, 100, 5_000))
    assert "more than" in next(each.ours for each in found.values if each.name == "how much faster ReLU is")


def test_where_neither_gets_there_nothing_can_be_told(result: Made) -> None:
    found = read(ran_at_each_rate(result, 5_000, 6_000))
    assert found.claims[0].holds is None
    assert found.ours.endswith("ReLU never, tanh never steps")
