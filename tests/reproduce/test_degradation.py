from __future__ import annotations

import pytest

from cnnlab.reproduce.degradation import plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget

from .conftest import Made

SEEN = {"plain20": 0.40, "plain32": 0.50, "plain56": 0.70, "resnet20": 0.38, "resnet32": 0.37, "resnet56": 0.36}


def test_every_network_of_a_family_has_the_same_training() -> None:
    made = plans(Budget.QUICK)
    assert set(made) == set(SEEN)
    assert len({(each.epochs, each.recipe.optimizer, each.recipe.batch_size) for each in made.values()}) == 1


def test_it_holds_where_depth_hurts_plain_networks_alone(result: Made) -> None:
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(SEEN.items())})
    assert verdict(found.claims).holds is True
    assert found.ours.startswith("plain-20 40.0%, plain-56 70.0%")


@pytest.mark.parametrize("changed", [{"plain56": 0.30}, {"resnet56": 0.80}])
def test_it_does_not_hold_where_depth_helps_both_or_hurts_both(changed: dict[str, float], result: Made) -> None:
    seen = {**SEEN, **changed}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is False


def test_in_full_a_resnet_has_to_gain_by_depth(result: Made) -> None:
    full = dict.fromkeys(plans(Budget.FULL), 0.1) | {"plain110": 0.9, "resnet110": 0.3}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(full.items())})
    assert [claim.holds for claim in found.claims][-1] is False
    assert ("ResNet-110, test error", "6.43%") in [(each.name, each.paper) for each in found.values]
