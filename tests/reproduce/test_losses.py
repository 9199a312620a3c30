from __future__ import annotations

import pytest

from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.losses import LOSSES, RATES, plans, read
from cnnlab.reproduce.plan import Budget

from .conftest import Made


def test_each_loss_has_each_rate() -> None:
    planned = plans(Budget.QUICK)
    assert len(planned) == len(LOSSES) * len(RATES)
    assert {plan.recipe.loss for plan in planned.values()} == set(LOSSES.values())


@pytest.mark.parametrize(("absolute", "holds"), [(0.8, True), (0.2, False), (0.401, None)])
def test_the_better_rate_counts(absolute: float, holds: bool | None, result: Made) -> None:
    errors = {"cross-entropy": 0.4, "hinge": 0.5, "squared error": 0.6, "absolute error": absolute}
    results = {
        f"{name}, rate {lr:g}": (result(error if lr == RATES[0] else 0.95, seed=place),)
        for place, (name, error) in enumerate(errors.items())
        for lr in RATES
    }
    found = read(results)
    assert verdict(found.claims).holds is holds
    assert "cross-entropy 40.0%" in found.ours
