from __future__ import annotations

import pytest

from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.se_ratio import plans, read, weights

from .conftest import Made

SEEN = {"no SE": 0.50, "r = 4": 0.44, "r = 8": 0.41, "r = 16": 0.38}


def test_the_network_without_is_that_of_degradation() -> None:
    made = plans(Budget.QUICK)
    assert list(made) == list(SEEN)
    assert made["no SE"].key(0) == degradation.plan(Budget.QUICK, "resnet20").key(0)
    assert [each.recipe.model_options.get("reduction") for each in made.values()] == [None, 4, 8, 16]


def test_parameters_of_resnet_50_by_ratio() -> None:
    assert (weights(0), weights(16)) == (25_557_032, 28_088_024)
    assert weights(8) - weights(16) == pytest.approx(weights(16) - weights(0), rel=0.01)  # twice the units


@pytest.mark.parametrize(
    ("changed", "holds"), [({}, True), ({"no SE": 0.25}, False), ({"r = 4": 0.20}, False)], ids=str
)
def test_it_holds_where_se_helps_at_any_ratio(changed: dict[str, float], holds: bool, result: Made) -> None:
    seen = {**SEEN, **changed}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is holds
    papers = {each.name: each.paper for each in found.values}
    assert papers["r = 16, test error"] == "23.29% (ImageNet)"
    assert papers["r = 4, test error"] == "23.21% (ImageNet, unverified)"
