from __future__ import annotations

from cnnlab.recipes.recipe import Plateau
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.learning_rate import plans, read
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.runs import Results

from .conftest import Made


def made(result: Made, right: float) -> Results:
    errors = {"too low": 0.8, "about right": right, "halved on a plateau": right}
    found = {label: (result(error, seed=3),) for label, error in errors.items()}
    return {**found, "too high": (result(0.0, diverged=True),)}


def test_only_the_rate_differs() -> None:
    planned = plans(Budget.QUICK)
    assert [isinstance(plan.recipe.schedule, Plateau) for plan in planned.values()] == [False] * 3 + [True]
    assert len({plan.recipe.optimizer.lr for plan in planned.values()}) == 3


def test_it_holds_where_low_is_slow_and_high_fails(result: Made) -> None:
    assert verdict(read(made(result, 0.4)).claims).holds is True


def test_it_does_not_hold_where_the_low_rate_is_better(result: Made) -> None:
    assert verdict(read(made(result, 0.9)).claims).holds is False
