from __future__ import annotations

import pytest

from cnnlab.recipes.recipe import difference
from cnnlab.reproduce import augmentation_value
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.pca_noise import plans, read
from cnnlab.reproduce.plan import Budget

from .conftest import Made


@pytest.mark.parametrize("budget", list(Budget))
def test_only_the_noise_differs(budget: Budget) -> None:
    without, noisy = (each.recipe for each in plans(budget).values())
    assert difference(without, noisy).keys() == {"augment"}
    kinds = [each.kind for each in noisy.augment if each not in without.augment]
    assert kinds == ["pca_noise"]


def test_the_run_without_is_shared() -> None:
    shared = augmentation_value.plans(Budget.QUICK)["shifted, mirrored"]
    assert plans(Budget.QUICK)["without"].key(0) == shared.key(0)


@pytest.mark.parametrize(("noisy", "holds"), [(0.40, True), (0.60, False), (0.499, None)])
def test_it_holds_where_noise_lowers_the_error(noisy: float, holds: bool | None, result: Made) -> None:
    found = read({"without": (result(0.50),), "with noise": (result(noisy, seed=1),)})
    assert verdict(found.claims).holds is holds
