from __future__ import annotations

from cnnlab.reproduce.batchnorm_speed import plans, read, steps_to
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.runs import Results

from .conftest import Made

SEEN = {"x1": 0.6, "BN x1": 0.5, "BN x5": 0.4, "BN x30": 0.45, "x5 sigmoid": 0.9, "BN x5 sigmoid": 0.6}


def made(result: Made, **changed: float) -> Results:
    errors = {**SEEN, **changed}
    found = {label: (result(error, seed=place),) for place, (label, error) in enumerate(errors.items())}
    return {**found, "x30": (result(0.0, diverged=True),)}


def test_the_plans_are_those_that_are_read() -> None:
    assert set(plans(Budget.QUICK)) == {*SEEN, "x30"}
    assert plans(Budget.QUICK)["x30"].recipe.model_options == {"norm": False, "activation": "relu"}


def test_steps_are_counted_to_the_first_that_reaches_the_accuracy(result: Made) -> None:
    curve = result(0.4).curve("val")
    assert steps_to(result(0.4), curve[3][1]) == curve[3][0]
    assert steps_to(result(0.4), 0.99) == float("inf")


def test_it_holds_on_the_papers_pattern(result: Made) -> None:
    found = read(made(result))
    assert verdict(found.claims).holds is True
    assert any(each.ours == "diverged" for each in found.values)


def test_it_does_not_hold_where_bn_is_slower(result: Made) -> None:
    found = read(made(result, **{"BN x5": 0.8}))
    assert verdict(found.claims).holds is False
    assert "never" in found.ours
