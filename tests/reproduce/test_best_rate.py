from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnlab.report.reproduction_page import Claim
from cnnlab.reproduce.best_rate import hold_at_best_rates
from cnnlab.reproduce.runs import Result

from .conftest import Made

TRIED = {"slow": ["slow, 0.1", "slow, 1"], "quick": ["quick, 0.1", "quick, 1"]}


def test_each_way_stands_by_the_rate_that_validates_better_whatever_the_test_says(result: Made) -> None:
    ran = {
        "slow, 0.1": (result(0.5),),
        "slow, 1": (result(0.2, train_error=0.9),),  # better in the test part, worse in validation
        "quick, 0.1": (result(0.9, diverged=True),),
        "quick, 1": (result(0.4),),
    }
    seen: dict[str, float] = {}

    def claims(best: Mapping[str, Sequence[Result]]) -> list[Claim]:
        seen.update({name: each[0].test_error for name, each in best.items()})
        return []

    found = hold_at_best_rates(ran, TRIED, claims)
    assert seen == {"slow": 0.5, "quick": 0.4}
    assert found.ours == "slow 50.0%, quick 40.0% test error"
    assert [(each.name, each.ours) for each in found.values][2] == ("quick, 0.1, test error", "diverged")
