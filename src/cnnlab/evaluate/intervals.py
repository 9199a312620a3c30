"""How sure a figure is: 95% intervals over images and over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054  # two-sided 95% point of the normal distribution

# Two-sided 95% points of Student's t for 1, 2, … degrees of freedom.
# fmt: off
T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a share of which `successes` of `trials` were seen (Wilson 1927), in [0, 1]."""
    if trials == 0:
        return (0.0, 1.0)
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return (max(0.0, centre - half), min(1.0, centre + half))


def student95(freedom: int) -> float:
    """The two-sided 95% point of Student's t for `freedom` (1 or more) degrees of freedom, to three decimals."""
    if freedom <= len(T95):
        return T95[freedom - 1]
    z = Z95  # Cornish & Fisher's expansion, Abramowitz & Stegun 26.7.5
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@dataclass(frozen=True)
class Spread:
    """Several runs of one thing: mean, standard deviation (n - 1), and the mean's 95% interval, all in [0, 1]."""

    mean: float
    std: float
    interval95: tuple[float, float] | None
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Mean, deviation and 95% interval of the mean by Student's t, for shares in [0, 1].

    What of the interval lies outside [0, 1], where no mean can be, is cut off: that keeps its coverage, and two values
    that differ much have an interval that says next to nothing. One value has no deviation or interval.
    """
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return Spread(mean, 0.0, None, count)
    std = statistics.stdev(values)
    half = student95(count - 1) * std / math.sqrt(count)
    return Spread(mean, std, (max(0.0, mean - half), min(1.0, mean + half)), count)
