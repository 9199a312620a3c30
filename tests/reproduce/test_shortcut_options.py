from __future__ import annotations

from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.shortcut_options import plans, read

from .conftest import Made

SEEN = {"plain": 0.6, "A": 0.35, "B": 0.38, "C": 0.40}


def test_a_and_plain_are_runs_of_degradation() -> None:
    shared = {each.key(0) for each in degradation.plans(Budget.QUICK).values()}
    made = plans(Budget.QUICK)
    assert {label for label, plan in made.items() if plan.key(0) in shared} == {"plain", "A"}
    assert made["C"].recipe.model_options == {"shortcut": "C"}


def test_it_holds_where_all_options_beat_none(result: Made) -> None:
    found = read({label: (result(error, seed=4),) for label, error in SEEN.items()})
    assert verdict(found.claims).holds is True


def test_it_does_not_hold_where_projections_are_essential(result: Made) -> None:
    seen = {**SEEN, "C": 0.2}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is False
