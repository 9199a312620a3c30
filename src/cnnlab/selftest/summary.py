"""What a part's record says: counts by kind and ending, the largest figures, the failures; as rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

FAILURES_KEPT = 20
COLUMNS = ("part", "passed", "cases", "how they ended", "largest seen", "must hold")


def summarise(outcomes: Sequence[Mapping[str, Any]], limits: Mapping[str, float]) -> dict[str, Any]:
    """Count the outcomes of a part; `reached` says whether all passed and no figure is above its limit."""
    failures = [each for each in outcomes if not each["passed"]]
    kinds = dict.fromkeys(each["kind"] for each in outcomes)
    names = dict.fromkeys(name for each in outcomes for name in each["figures"])
    largest = {name: max(each["figures"].get(name, 0.0) for each in outcomes) for name in names}
    within = all(largest.get(name, 0.0) <= limit for name, limit in limits.items())
    return {
        "cases": len(outcomes),
        "passed": len(outcomes) - len(failures),
        "kinds": {kind: dict(Counter(each["ended"] for each in outcomes if each["kind"] == kind)) for kind in kinds},
        "largest": largest,
        "seconds": sum(each["seconds"] for each in outcomes),
        "failures": failures[:FAILURES_KEPT],
        "reached": bool(outcomes) and not failures and within,
    }


def row(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """A part's line under `COLUMNS`."""
    endings = sum((Counter(kind) for kind in summary["kinds"].values()), Counter[str]())
    limits = summary["limits"]
    shown = [_figure(name, value, limits.get(name)) for name, value in summary["largest"].items()]
    return (
        summary["part"],
        f"{summary['passed']:,} of {summary['cases']:,}",
        f"{summary['cases']:,} of {summary['of']:,}",
        ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common()),
        ", ".join(shown) or "–",
        summary["claim"],
    )


def _figure(name: str, value: float, limit: float | None) -> str:
    return f"{name.replace('_', ' ')} {value:.3g}" + (f" (limit {limit:g})" if limit is not None else "")


def kind_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The kinds of fault of a part: name, cases, how they ended."""
    return [
        (kind, f"{sum(endings.values()):,}", ", ".join(f"{count:,} {ending}" for ending, count in endings.items()))
        for kind, endings in summary["kinds"].items()
    ]
