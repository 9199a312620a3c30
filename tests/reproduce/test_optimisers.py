from __future__ import annotations

import pytest

from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.optimisers import OPTIMISERS, label, plans, read
from cnnlab.reproduce.plan import Budget

from .conftest import Made


def test_each_optimiser_has_two_rates() -> None:
    assert len(plans(Budget.QUICK)) == 2 * len(OPTIMISERS)


@pytest.mark.parametrize(("muon", "holds"), [(0.3, True), (0.7, False), (0.401, None)])
def test_the_better_rate_counts(muon: float, holds: bool | None, result: Made) -> None:
    errors = {"SGD": 0.6, "momentum": 0.4, "RMSProp": 0.5, "AdamW": 0.5, "Muon": muon}
    results = {
        label(name, each): (result(errors[name] if each is pair[1] else 0.95, seed=place),)
        for place, (name, pair) in enumerate(OPTIMISERS.items())
        for each in pair
    }
    assert verdict(read(results).claims).holds is holds
