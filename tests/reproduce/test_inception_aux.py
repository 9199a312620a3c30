from __future__ import annotations

import pytest

from cnnlab.recipes.recipe import difference
from cnnlab.reproduce.inception_aux import halfway, plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget

from .conftest import Made


@pytest.mark.parametrize("budget", list(Budget))
def test_only_the_heads_differ(budget: Budget) -> None:
    made = plans(budget)
    assert (made["with heads"].recipe.aux_weight, made["without"].recipe.aux_weight) == (0.3, 0)
    assert difference(made["with heads"].recipe, made["without"].recipe).keys() == {"aux_weight", "model_options"}


@pytest.mark.parametrize(("without", "holds"), [(0.400, True), (0.60, False), (0.25, False)])
def test_it_holds_where_the_heads_change_little(without: float, holds: bool, result: Made) -> None:
    found = read({"with heads": (result(0.40),), "without": (result(without),)})
    assert verdict(found.claims).holds is holds


def test_halfway_is_told_beside_the_end(result: Made) -> None:
    ran = result(0.40)
    at = dict(ran.curve("val"))
    assert halfway({"with heads": (ran,)}, "with heads") == at[500]
