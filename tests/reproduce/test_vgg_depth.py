from __future__ import annotations

import pytest

from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.vgg_depth import PAPER, plan, plans, read

from .conftest import Made

SEEN = {"A": 0.50, "B": 0.45, "D": 0.40, "E": 0.35}


def test_the_paper_s_columns_and_errors_are_asked_for() -> None:
    assert PAPER == {"A": 0.296, "B": 0.287, "D": 0.270, "E": 0.273}  # Table 3, S = Q = 256
    assert [each.recipe.model for each in plans(Budget.FULL).values()] == ["vgg11", "vgg13", "vgg16", "vgg19"]
    small = [each.recipe.model_options.get("column", "A") for each in plans(Budget.QUICK).values()]
    assert small == list(SEEN)


def test_columns_differ_in_the_network_alone() -> None:
    assert (
        len({(each.epochs, each.recipe.optimizer, each.recipe.augment) for each in plans(Budget.QUICK).values()}) == 1
    )
    assert plan(Budget.QUICK, "A").key(0) == plans(Budget.QUICK)["A"].key(0)


@pytest.mark.parametrize(
    ("changed", "holds"), [({}, True), ({"A": 0.30, "E": 0.60}, False), ({"B": 0.33}, None)], ids=str
)
def test_it_holds_where_each_deeper_column_errs_less(
    changed: dict[str, float], holds: bool | None, result: Made
) -> None:
    seen = {**SEEN, **changed}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is holds
    assert ("A, 11 layers, test error", "29.6% (ImageNet)") in [(each.name, each.paper) for each in found.values]
