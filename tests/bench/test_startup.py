from __future__ import annotations

from cnnlab.bench.row import Plan
from cnnlab.bench.startup import BARE, measure


def test_the_help_takes_longer_than_nothing() -> None:
    [case] = measure(Plan(rounds=1)).cases
    assert (case.unit, case.against) == ("s", BARE)
    assert all(value > 0 for values in case.values.values() for value in values)
