"""Whether two networks differ on the same images: exact tests, paired intervals, and several comparisons at once.

Pure functions of hits (whether an image was recognised) and of accuracies.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnnlab.evaluate.intervals import Z95

RESAMPLES = 10_000  # of the bootstrap: the ends of a 95% interval are then sure to a few hundredths of its width
GRID = 20_001  # points of Simpson's rule: Student's p is right to 1e-6

Hits = npt.NDArray[np.bool_]


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p that two networks err alike (McNemar 1947), in [0, 1].

    Args:
        only_first: images that only the first network recognises.
        only_second: images that only the second recognises; under the hypothesis each is a fair coin.
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    term = total = 1
    for drawn in range(fewer):
        term = term * (count - drawn) // (drawn + 1)  # whole numbers: the binomial coefficients, exactly
        total += term
    return min(1.0, float(2 * total / 2**count))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values corrected for their number (Holm 1979), in the order given.

    Calling those below 0.05 different is wrong at all with a probability of at most 0.05.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def bootstrap_difference(first: Hits, second: Hits, *, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95% interval of the first's accuracy minus the second's, by a paired percentile bootstrap.

    Images are drawn anew, the same for both sides; where a side has several seeds, these are drawn anew too.

    Args:
        first: (S, N), a row a seed, whether each image was recognised.
        second: (T, N), on the same images.
        resamples: how often all is drawn anew; always from the same random numbers.
    """
    # Images recognised by the same networks are alike, so drawing how many of each kind is drawing images.
    kinds, counts = np.unique(np.concatenate([first, second]), axis=1, return_counts=True)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    accuracies = drawn @ kinds.T.astype(np.float64) / counts.sum()  # (resamples, S + T)
    sides = np.split(accuracies, [len(first)], axis=1)
    means = [np.take_along_axis(side, _draw_seeds(generator, side), axis=1).mean(axis=1) for side in sides]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(low), float(high)


def _draw_seeds(generator: np.random.Generator, side: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return generator.integers(0, side.shape[1], size=side.shape)


def paired_interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The 95% interval of the mean of paired differences (N,) in [-1, 1], fit for few images (Bonett & Price 2012).

    One image for and one against are added, so that a handful of equal answers does not look certain.
    """
    added = np.concatenate([differences, [1.0, -1.0]])
    half = Z95 * float(added.std()) / math.sqrt(len(added))
    middle = float(added.mean())
    return max(-1.0, middle - half), min(1.0, middle + half)


def seeds_test(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p that two recipes are equally accurate, from the accuracies of their seeds.

    Both with several seeds: Welch 1947. One seed against several: Crawford & Howell 1998, whether it could be one
    more of them.

    Raises:
        ValueError: neither side has two seeds, so nothing is known of the spread.
    """
    sizes = [len(first), len(second)]
    if max(sizes) < 2:
        raise ValueError("neither side has two seeds")
    variances = [statistics.variance(side) if len(side) > 1 else 0.0 for side in (first, second)]
    if min(sizes) == 1:
        freedom = float(max(sizes) - 1)
        variance = max(variances) * (1 + 1 / max(sizes))
    else:
        shares = [one / size for one, size in zip(variances, sizes, strict=True)]
        variance = sum(shares)
        freedom = variance**2 / (sum(s**2 / (n - 1) for s, n in zip(shares, sizes, strict=True)) or 1.0)
    difference = statistics.fmean(first) - statistics.fmean(second)
    if variance == 0:
        return 1.0 if difference == 0 else 0.0
    return student_p(difference / math.sqrt(variance), freedom)


def student_p(t: float, freedom: float) -> float:
    """The two-sided p of Student's t with `freedom` (1 or more, whole or not) degrees of freedom.

    With t = sqrt(freedom) tan(angle) the density is cos(angle)^(freedom - 1), which is integrated by Simpson's rule.
    """
    tail = _cosine_power(math.atan(abs(t) / math.sqrt(freedom)), freedom)
    return min(1.0, tail / _cosine_power(0.0, freedom))


def _cosine_power(start: float, freedom: float) -> float:
    """The integral of cos(angle)^(freedom - 1) from `start` to a right angle."""
    angles = np.linspace(start, math.pi / 2, GRID)
    values = np.cos(angles).clip(0) ** (freedom - 1)
    weights = np.ones(GRID)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float(values @ weights) * (math.pi / 2 - start) / (GRID - 1) / 3
