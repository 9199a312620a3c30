from __future__ import annotations

import pytest

from cnnlab.bench.row import Case


@pytest.mark.parametrize(("unit", "ratio"), [("ms", 4.0), ("s", 4.0), ("images/s", 0.25), ("times", 0.25)])
def test_a_ratio_says_how_many_times_as_good_it_is_by_the_rounds_median(unit: str, ratio: float) -> None:
    case = Case("batch 1", unit, {"theirs": [8.0, 80.0, 1.0], "ours": [2.0, 20.0, 10.0]}, against="theirs")
    assert case.ratio("ours") == ratio
    assert case.ratio("theirs") == 1.0


def test_of_ways_with_other_counts_the_medians_are_compared() -> None:
    case = Case("to 90%", "s", {"theirs": [100.0], "ours": [10.0, 20.0, 50.0]}, against="theirs")
    assert case.ratio("ours") == 5.0
