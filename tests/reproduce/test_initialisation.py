from __future__ import annotations

import pytest

from cnnlab.reproduce.initialisation import DEPTHS, HOWS, plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.runs import Results

from .conftest import Made


def made(result: Made, **deepest: float) -> Results:
    return {
        f"{name}, {depth}": (result(deepest[how] if depth == DEPTHS[-1] else 0.6, seed=depth),)
        for how, name in HOWS.items()
        for depth in DEPTHS
    }


def test_no_network_has_normalisation_to_help_it() -> None:
    made = plans(Budget.QUICK)
    assert len(made) == len(HOWS) * len(DEPTHS)
    assert all(plan.recipe.model_options["norm"] is False for plan in made.values())


@pytest.mark.parametrize(("xavier", "holds"), [(0.9, True), (0.3, False), (0.601, None)])
def test_the_verdict_is_about_the_deepest(xavier: float, holds: bool | None, result: Made) -> None:
    found = read(made(result, gaussian=0.9, xavier=xavier, he_fan_in=0.6))
    assert verdict(found.claims).holds is holds
