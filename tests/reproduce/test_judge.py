from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.report.reproduction_page import Claim
from cnnlab.reproduce.judge import (
    costs_more,
    difference,
    exact,
    kendall,
    not_worse,
    permutation_p,
    rises,
    verdict,
    worse,
)

from .conftest import IMAGES, Made, made

REALS = st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=6, unique=True)


@given(REALS)
def test_kendall_and_its_p_are_scipys(values: list[float]) -> None:
    places = list(range(len(values)))
    told = stats.kendalltau(places, values, alternative="greater", method="exact")
    assert kendall(places, values) == pytest.approx(told.statistic)
    assert permutation_p(places, values) == pytest.approx(told.pvalue)


def test_one_seed_is_tested_over_images_and_several_over_seeds(result: Made) -> None:
    one = difference([result(0.5)], [result(0.3)])
    several = difference([result(0.5, seed=s) for s in (1, 2)], [result(0.3 + s / 100, seed=s) for s in (1, 2)])
    assert (one.test, several.test) == ("McNemar's exact test", "Welch's t")
    assert one.difference == pytest.approx(0.2)
    assert one.interval95[0] < 0.2 < one.interval95[1]
    assert one.p < 1e-6


def test_mcnemar_is_scipys(result: Made) -> None:
    first, second = result(0.31), result(0.29, seed=9)
    only_first = int((first.hits & ~second.hits).sum())
    only_second = int((second.hits & ~first.hits).sum())
    expected = stats.binomtest(only_first, only_first + only_second).pvalue
    assert difference([first], [second]).p == pytest.approx(expected)


@pytest.mark.parametrize(("first", "second", "holds"), [(0.5, 0.3, True), (0.3, 0.5, False), (0.3, 0.301, None)])
def test_worse(first: float, second: float, holds: bool | None, result: Made) -> None:
    assert worse("w", [result(first)], [result(second, seed=5)]).holds is holds


@pytest.mark.parametrize(("first", "holds"), [(0.3, True), (0.2, True), (0.5, False), (0.33, None)])
def test_not_worse(first: float, holds: bool | None, result: Made) -> None:
    margin = 0.03 if first != 0.3 else 0.08
    assert not_worse("n", [result(first)], [result(0.3, seed=5)], margin=margin).holds is holds


def test_a_run_that_diverged_errs_always(result: Made) -> None:
    found = difference([result(0.0, diverged=True)], [result(0.4)])
    assert found.difference == pytest.approx(0.6)
    assert worse("w", [result(0.0, diverged=True)], [result(0.4)]).holds is True


@pytest.mark.parametrize(("plain", "residual", "holds"), [(0.6, 0.3, True), (0.3, 0.6, False), (0.3, 0.301, None)])
def test_costs_more(plain: float, residual: float, holds: bool | None, result: Made) -> None:
    claim = costs_more(
        "c", ([result(0.3)], [result(plain, seed=1)]), ([result(0.3, seed=2)], [result(residual, seed=3)])
    )
    assert claim.holds is holds


def test_rises_needs_four_values() -> None:
    assert rises("r", [1, 2, 3], [1, 2, 3]).holds is None
    assert rises("r", [1, 2, 3, 4], [1, 2, 3, 4]).holds is True
    assert rises("r", [1, 2, 3, 4], [4, 3, 2, 1]).holds is False


@pytest.mark.parametrize(
    ("answers", "holds"), [((True, True), True), ((True, None), None), ((None, False), False), ((True, False), False)]
)
def test_a_verdict_holds_only_where_all_claims_do(answers: tuple[bool | None, ...], holds: bool | None) -> None:
    found = verdict([Claim(f"claim {place}", answer, f"evidence {place}") for place, answer in enumerate(answers)])
    assert found.holds is holds
    assert ("Not so: " in found.words) is (False in answers)
    assert ("Cannot be told: " in found.words) is (None in answers)
    assert "claim 1" in found.words.lower()


def test_a_count_must_be_equal() -> None:
    assert exact("weights", 69_632, 69_632).holds is True
    assert exact("weights", 69_633, 69_632).holds is False


def test_made_results_are_what_they_say() -> None:
    assert made(0.25).test_error == pytest.approx(0.25)
    assert len(made(0.25).hits) == IMAGES
