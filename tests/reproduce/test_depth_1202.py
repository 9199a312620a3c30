from __future__ import annotations

from cnnlab.reproduce.depth_1202 import plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget

from .conftest import Made


def test_in_full_the_papers_depths_are_trained() -> None:
    assert list(plans(Budget.FULL)) == ["resnet110", "resnet1202"]
    assert list(plans(Budget.QUICK)) == ["resnet20", "resnet110"]


def test_it_holds_where_the_deeper_fits_and_tests_worse(result: Made) -> None:
    seen = {"resnet20": (result(0.5, train_error=0.0),), "resnet110": (result(0.6, train_error=0.0, seed=1),)}
    assert verdict(read(seen).claims).holds is True


def test_it_does_not_hold_where_the_deeper_does_not_fit(result: Made) -> None:
    seen = {"resnet20": (result(0.5, train_error=0.0),), "resnet110": (result(0.6, train_error=0.4, seed=1),)}
    assert verdict(read(seen).claims).holds is False
