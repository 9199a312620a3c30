from __future__ import annotations

import pytest

from cnnlab.recipes.recipe import difference
from cnnlab.reproduce.dropout import plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget

from .conftest import Made


@pytest.mark.parametrize("budget", list(Budget))
def test_only_dropout_differs(budget: Budget) -> None:
    made = plans(budget)
    assert difference(made["without"].recipe, made["with"].recipe) == {"dropout": [0.0, 0.5]}
    assert made["with"].recipe.augment == ()


@pytest.mark.parametrize(("dropped", "holds"), [(0.40, True), (0.60, False)])
def test_it_holds_where_dropout_helps_the_test(dropped: float, holds: bool, result: Made) -> None:
    without, with_dropout = result(0.50, train_error=0.01), result(dropped, train_error=0.30, seed=1)
    found = read({"without": (without,), "with": (with_dropout,)})
    assert verdict(found.claims).holds is holds
    assert "14.51% (unverified)" in [each.paper for each in found.values]
