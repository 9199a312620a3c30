"""Verdicts from stated tests. A reproduction makes claims; it holds if every one of them does.

Since all claims have to hold, testing each at 5% keeps the chance of a wrong "holds" at 5% (Berger 1982, the
intersection-union test); nothing is corrected for their number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.evaluate.intervals import Z95
from cnnlab.evaluate.paired import bootstrap_difference, mcnemar, seeds_test
from cnnlab.report.reproduction_page import Claim, Verdict
from cnnlab.reproduce.runs import Result

Pair = tuple[Sequence[Result], Sequence[Result]]
SIGNIFICANT = 0.05
MOST_PERMUTED = 8  # values whose every order is looked at: 40,320


@dataclass(frozen=True)
class Difference:
    """The test error of one kind of run minus another's, its 95% interval, and the p of `test` that there is none."""

    difference: float
    interval95: tuple[float, float]
    p: float
    test: str

    def __str__(self) -> str:
        low, high = (100 * each for each in self.interval95)
        return f"{100 * self.difference:+.1f} points ({low:+.1f} to {high:+.1f}), p {_p(self.p)} by {self.test}"


def difference(first: Sequence[Result], second: Sequence[Result]) -> Difference:
    """How the test errors differ, on the same images.

    With two seeds or more on each side by Welch's t over seeds, else by McNemar's exact test over images between the
    first seeds; the interval is the paired bootstrap's over images, and seeds.
    """
    one, other = (_hits(results, first, second) for results in (first, second))
    low, high = bootstrap_difference(other, one)
    if min(len(first), len(second)) > 1:
        p, test = seeds_test([each.test_error for each in first], [each.test_error for each in second]), "Welch's t"
    else:
        only_first, only_second = int((one[0] & ~other[0]).sum()), int((other[0] & ~one[0]).sum())
        p, test = mcnemar(only_first, only_second), "McNemar's exact test"
    return Difference(float(other.mean() - one.mean()), (low, high), p, test)


def _hits(results: Sequence[Result], *sides: Sequence[Result]) -> np.ndarray:
    """(S, N); a run that diverged has not one."""
    images = max(len(each.hits) for side in sides for each in side)
    return np.stack([np.zeros(images, np.bool_) if each.diverged else each.hits for each in results])


def worse(words: str, first: Sequence[Result], second: Sequence[Result]) -> Claim:
    """The claim that the first errs more on the test part: so if significant, not so if significantly less."""
    found = difference(first, second)
    sure = found.p < SIGNIFICANT
    return Claim(words, found.difference > 0 if sure else None, f"test error {found}")


def not_worse(words: str, first: Sequence[Result], second: Sequence[Result], *, margin: float = 0.01) -> Claim:
    """The claim that the first errs no more than the second, within `margin`: by the 95% interval of the difference."""
    found = difference(first, second)
    low, high = found.interval95
    holds = True if high < margin else False if low > margin else None
    return Claim(words, holds, f"test error {found}; margin {100 * margin:g} points")


def costs_more(words: str, first: Pair, second: Pair) -> Claim:
    """The claim that going from one to the other of the first pair adds more test error than of the second pair.

    By the mean over images of the difference of differences, with its normal 95% interval.
    """
    sides = [side for pair in (first, second) for side in pair]
    (a, b), (c, d) = ([_hits(side, *sides).mean(axis=0) for side in pair] for pair in (first, second))
    extra = (a - b) - (c - d)
    middle, half = float(extra.mean()), Z95 * float(extra.std()) / math.sqrt(len(extra))
    holds = True if middle - half > 0 else False if middle + half < 0 else None
    low, high = max(-2.0, middle - half), min(2.0, middle + half)  # a difference of differences of shares
    seen = f"{100 * middle:+.1f} points more ({100 * low:+.1f} to {100 * high:+.1f} over images)"
    return Claim(words, holds, seen)


def rises(words: str, places: Sequence[float], values: Sequence[float]) -> Claim:
    """The claim that values rise with their places: Kendall's tau, exact one-sided p over all orders of the values.

    Fewer than four values cannot reach 5%: they are never enough.
    """
    tau = kendall(places, values)
    p = permutation_p(places, values)
    holds = (
        True if p < SIGNIFICANT else False if permutation_p(places, [-each for each in values]) < SIGNIFICANT else None
    )
    return Claim(words, holds, f"Kendall's tau {tau:+.2f} over {len(values)} values, exact one-sided p {_p(p)}")


def exact(words: str, ours: object, paper: object) -> Claim:
    """The claim that a counted number is the paper's."""
    return Claim(words, ours == paper, f"counted {_written(ours)}, paper {_written(paper)}")


def fact(words: str, holds: bool, evidence: str) -> Claim:
    """A claim that is looked up, not estimated: no chance is in it."""
    return Claim(words, holds, evidence)


def verdict(claims: Sequence[Claim]) -> Verdict:
    """What all claims together say: holds if each does, does not if any does not, else cannot be told."""
    answers = [each.holds for each in claims]
    holds = False if False in answers else None if None in answers else True
    groups = {answer: [each.words for each in claims if each.holds is answer] for answer in (False, None, True)}
    signs = {False: "Not so: ", None: "Cannot be told: ", True: "" if holds else "So: "}
    sentences = [f"{signs[answer]}{'; '.join(words)}." for answer, words in groups.items() if words]
    return Verdict(holds, " ".join(each[0].upper() + each[1:] for each in sentences))


def kendall(places: Sequence[float], values: Sequence[float]) -> float:
    """Kendall's rank correlation (tau a) in [-1, 1]."""
    pairs = list(itertools.combinations(range(len(values)), 2))
    signs = [np.sign(places[i] - places[j]) * np.sign(values[i] - values[j]) for i, j in pairs]
    return float(sum(signs)) / len(pairs)


def permutation_p(places: Sequence[float], values: Sequence[float]) -> float:
    """The share of all orders of the values whose Kendall's tau is at least as large, for up to 8 values."""
    if len(values) > MOST_PERMUTED:
        raise ValueError(f"{len(values)} values have too many orders; give up to {MOST_PERMUTED}")
    seen = kendall(places, values)
    taus = [kendall(places, order) for order in itertools.permutations(values)]
    return sum(each >= seen - 1e-12 for each in taus) / len(taus)


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
