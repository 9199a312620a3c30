from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.evaluate.paired import (
    bootstrap_difference,
    holm,
    mcnemar,
    paired_interval,
    seeds_test,
    student_p,
)

counts = st.integers(0, 400)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)
accuracies = st.lists(st.floats(0.1, 0.9), min_size=2, max_size=6)


def hits(share: float, rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, columns)) < share


# -- McNemar -----------------------------------------------------------------------------------------------------


@given(counts, counts)
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    count = only_first + only_second
    expected = stats.binomtest(only_first, count).pvalue if count else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(only_first, only_second) == mcnemar(only_second, only_first)


def test_mcnemar_of_a_whole_test_set_is_exact_and_quick() -> None:
    assert mcnemar(12_000, 12_300) == pytest.approx(stats.binomtest(12_000, 24_300).pvalue, rel=1e-9)


def test_networks_that_recognise_the_same_images_do_not_differ() -> None:
    assert mcnemar(0, 0) == 1


# -- Holm --------------------------------------------------------------------------------------------------------


@given(p_values)
def test_holm_is_its_own_definition(values: list[float]) -> None:
    order = sorted(range(len(values)), key=values.__getitem__)
    expected = [
        max(min(1.0, (len(values) - rank) * values[order[rank]]) for rank in range(order.index(place) + 1))
        for place in range(len(values))
    ]
    assert holm(values) == pytest.approx(expected)


@given(p_values, st.floats(0.001, 0.2))
def test_holm_rejects_what_its_steps_do(values: list[float], level: float) -> None:
    rejected = set()
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] * (len(values) - rank) > level:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(values)) if p <= level} == rejected


# -- the bootstrap -----------------------------------------------------------------------------------------------


def test_the_bootstrap_is_scipys() -> None:
    first, second = hits(0.8, 1, 400, 1), hits(0.7, 1, 400, 2)
    found = bootstrap_difference(first, second)
    expected = stats.bootstrap(
        (first[0].astype(float), second[0].astype(float)),
        lambda a, b: np.mean(a - b),
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=0.005)


def test_the_bootstrap_draws_the_same_images_for_both() -> None:
    first = hits(0.5, 1, 500, 1)
    second = first.copy()
    second[0, :5] ^= True  # five images apart: unpaired, the interval would be a tenth wide
    low, high = bootstrap_difference(first, second)
    assert high - low < 0.025


def test_equal_networks_have_no_difference_and_no_width() -> None:
    first = hits(0.7, 1, 300, 4)
    assert bootstrap_difference(first, first) == (0, 0)


def test_a_side_with_several_seeds_is_less_sure_when_they_differ() -> None:
    alike = np.repeat(hits(0.8, 1, 400, 1), 4, axis=0)
    spread = np.concatenate([hits(share, 1, 400, 2) for share in (0.65, 0.75, 0.85, 0.95)])
    other = hits(0.5, 1, 400, 3)
    narrow, wide = bootstrap_difference(alike, other), bootstrap_difference(spread, other)
    assert wide[1] - wide[0] > 1.2 * (narrow[1] - narrow[0])


def test_the_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        low, high = bootstrap_difference(hits(0.8, 1, 300, 2 * seed), hits(0.7, 1, 300, 2 * seed + 1), resamples=1000)
        covered += low <= 0.1 <= high
    assert 180 <= covered <= 199  # 190 expected, deviation 3


# -- intervals of few images -------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_the_interval_is_bonett_and_prices(both: int, only_first: int, only_second: int) -> None:
    count = both + only_first + only_second
    differences = np.array([0.0] * both + [1.0] * only_first + [-1.0] * only_second)
    p, q = (only_first + 1) / (count + 2), (only_second + 1) / (count + 2)
    half = stats.norm.ppf(0.975) * math.sqrt((p + q - (p - q) ** 2) / (count + 2))
    expected = max(-1, p - q - half), min(1, p - q + half)
    assert paired_interval(differences) == pytest.approx(expected)


def test_a_handful_of_equal_answers_is_not_certain() -> None:
    low, high = paired_interval(np.zeros(5))
    assert low < -0.3
    assert high > 0.3


# -- seeds -------------------------------------------------------------------------------------------------------


@given(st.floats(-20, 20), st.floats(1, 300))
def test_students_p_is_scipys(t: float, freedom: float) -> None:
    assert student_p(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-5, abs=1e-15)


@given(accuracies, accuracies)
def test_several_seeds_a_side_are_welchs_test(first: list[float], second: list[float]) -> None:
    if min(np.std(first), np.std(second)) < 1e-6:  # scipy warns of it
        return
    expected = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert seeds_test(first, second) == pytest.approx(expected, rel=1e-4, abs=1e-12)


@given(st.floats(0.1, 0.9), accuracies)
def test_one_seed_against_several_is_crawford_and_howells_test(one: float, several: list[float]) -> None:
    if np.std(several) < 1e-6:
        return
    t = (one - np.mean(several)) / (np.std(several, ddof=1) * math.sqrt(1 + 1 / len(several)))
    expected = 2 * stats.t.sf(abs(t), len(several) - 1)
    assert seeds_test([one], several) == pytest.approx(expected, rel=1e-4, abs=1e-12)
    assert seeds_test(several, [one]) == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_seeds_without_spread_differ_or_do_not() -> None:
    assert seeds_test([0.5, 0.5], [0.5, 0.5]) == 1
    assert seeds_test([0.5, 0.5], [0.6, 0.6]) == 0


def test_one_seed_a_side_says_nothing() -> None:
    with pytest.raises(ValueError, match="neither side has two seeds"):
        seeds_test([0.5], [0.6])
