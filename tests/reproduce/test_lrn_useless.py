from __future__ import annotations

import pytest

from cnnlab.reproduce import vgg_depth
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.lrn_useless import plans, read
from cnnlab.reproduce.plan import Budget

from .conftest import Made


def test_it_shares_column_a_and_adds_only_lrn() -> None:
    made = plans(Budget.QUICK)
    assert made["A"].key(0) == vgg_depth.plans(Budget.QUICK)["A"].key(0)
    assert made["A-LRN"].recipe.model_options == {**made["A"].recipe.model_options, "column": "A-LRN"}


@pytest.mark.parametrize(("error", "holds"), [(0.40, True), (0.20, False), (0.29, None)])
def test_it_holds_where_lrn_gains_nothing(error: float, holds: bool | None, result: Made) -> None:
    found = read({"A": (result(0.30),), "A-LRN": (result(error, seed=1),)})
    assert verdict(found.claims).holds is holds
    assert ("A-LRN, test error", "29.7% (ImageNet)") in [(each.name, each.paper) for each in found.values]
