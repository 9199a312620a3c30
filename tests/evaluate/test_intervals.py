from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.evaluate.intervals import Spread, spread, student95, wilson


@given(trials=st.integers(1, 100_000), share=st.floats(0, 1))
def test_wilson_is_scipys(trials: int, share: float) -> None:
    successes = round(share * trials)
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_at_a_value_known_from_the_literature() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(trials=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_in_0_to_1(trials: int, share: float) -> None:
    successes = round(share * trials)
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1


def test_of_nothing_seen_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("freedom", [*range(1, 41), 60, 120, 1000])
def test_students_points_are_scipys_to_three_decimals(freedom: int) -> None:
    assert student95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=6e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60))
def test_the_spread_of_runs_is_scipys(values: list[float]) -> None:
    found = spread(values)
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    assert (found.mean, found.std, found.count) == (
        pytest.approx(statistics.fmean(values)),
        pytest.approx(statistics.stdev(values)),
        len(values),
    )
    expected = (max(0.0, found.mean - half), min(1.0, found.mean + half))
    assert found.interval95 == pytest.approx(expected, abs=2e-3)
    assert found.interval95 is not None
    assert 0 <= found.interval95[0] <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.interval95[1] <= 1


def test_two_seeds_far_apart_say_next_to_nothing_and_never_more_than_all() -> None:
    assert spread([0.662, 0.738]).interval95 == pytest.approx((0.2172, 1.0), abs=1e-4)  # was 21.72% to 118.28%
    assert spread([0.02, 0.1]).interval95 == pytest.approx((0.0, 0.5682), abs=1e-4)
    assert spread([1.0, 1.0]).interval95 == (1.0, 1.0)


def test_one_run_has_no_interval() -> None:
    assert spread([0.9]) == Spread(0.9, 0.0, None, 1)
