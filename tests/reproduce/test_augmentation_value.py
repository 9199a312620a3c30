from __future__ import annotations

import pytest

from cnnlab.recipes.recipe import difference
from cnnlab.reproduce.augmentation_value import PAPER, plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget

from .conftest import Made

SEEN = {"none": (0.55, 0.01), "mirrored": (0.50, 0.05), "shifted, mirrored": (0.40, 0.20)}


@pytest.mark.parametrize("budget", list(Budget))
def test_only_the_augmentation_differs(budget: Budget) -> None:
    none, *others = (each.recipe for each in plans(budget).values())
    assert none.augment == ()
    assert all(difference(none, each).keys() == {"augment"} for each in others)


@pytest.mark.parametrize(("none", "holds"), [(0.55, True), (0.30, False)])
def test_it_holds_where_augmented_networks_err_less(none: float, holds: bool, result: Made) -> None:
    seen = {**SEEN, "none": (none, 0.01)}
    ran = {label: (result(test, train_error=train),) for label, (test, train) in seen.items()}
    assert verdict(read(ran).claims).holds is holds


def test_the_paper_s_figures_are_nin_s() -> None:
    assert PAPER == {"none": 0.1041, "shifted, mirrored": 0.0881}
