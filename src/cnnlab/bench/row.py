"""What a row of the performance table is: what is measured, what it costs, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIMES = ("s", "ms")  # units of which less is better


@dataclass(frozen=True)
class Case:
    """One thing measured: for each way of doing it a value a round, and the way that the others are held against."""

    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    against: str

    def ratio(self, way: str) -> float:
        """How many times as good as `against` a way is: faster for times, else more. The median over the rounds."""
        ours, theirs = self.values[way], self.values[self.against]
        if len(ours) != len(theirs):
            ours, theirs = [statistics.median(ours)], [statistics.median(theirs)]
        pairs = zip(theirs, ours, strict=True) if self.unit in TIMES else zip(ours, theirs, strict=True)
        return statistics.median(one / other for one, other in pairs)


@dataclass(frozen=True)
class Curve:
    """Points (x, y) of a plot with rising x; dashed for what was predicted."""

    label: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves over a common x, which `log_x` makes logarithmic; curves of one label are runs of the same thing.

    `shares` writes y as percentages; `from_zero` begins its axis at 0.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    log_x: bool = False
    shares: bool = False
    from_zero: bool = True


@dataclass(frozen=True)
class Plan:
    """How to measure: rounds, CPU threads (None: torch's choice), run folders, and who is told how far it is."""

    rounds: int
    threads: int | None = None
    runs: Sequence[Path] = ()
    say: Callable[[str], None] = lambda message: None


@dataclass(frozen=True)
class Found:
    """What a row came to: its cases, plots, further figures by name, and what must be known to read them."""

    cases: Sequence[Case]
    plots: Sequence[Plot] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """A row of the table: what is held against what, about how many minutes it takes on two cores, and its rounds.

    `peers` are optional packages that it measures beside ours where they are installed.
    """

    what: str
    minutes: float
    rounds: int
    measure: Callable[[Plan], Found]
    peers: tuple[str, ...] = ()
