"""The curves of several runs over each other: validation accuracy and training loss, a colour each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.report.charts import Line, line_chart
from cnnlab.report.page import Html, grid, join, note

Records = Sequence[Mapping[str, Any]]
MOST_DRAWN = 6  # the colours that the look has


def read_curves(folders: Mapping[str, Path]) -> dict[str, Records]:
    """The records of `metrics.jsonl` by run; a last line cut short by a crash is left out, as is a run without any."""
    found = {name: _read(folder / "metrics.jsonl") for name, folder in folders.items()}
    return {name: records for name, records in found.items() if records}


def _read(path: Path) -> Records:
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def overlay(curves: Mapping[str, Records]) -> Html:
    """Two charts with a line per run; of more than six runs the first six are drawn, and that is said."""
    drawn = list(curves.items())[:MOST_DRAWN]
    charts = [
        line_chart("Validation accuracy", _lines(drawn, "val", "top1"), x_label="step", shares=True),
        line_chart("Training loss", _lines(drawn, "train", "loss"), x_label="step"),
    ]
    said = "Validation is of unchanged images, one view each; training loss is each recipe's own, of augmented images."
    more = f" Drawn are the first {MOST_DRAWN} of {len(curves)}." if len(curves) > MOST_DRAWN else ""
    return join([grid(charts), note(said + more)])


def _lines(curves: Sequence[tuple[str, Records]], split: str, key: str) -> list[Line]:
    return [
        Line(name, [(each["step"], each[key]) for each in records if _has(each, split, key)], colour)
        for colour, (name, records) in enumerate(curves)
    ]


def _has(record: Mapping[str, Any], split: str, key: str) -> bool:
    return record.get("split") == split and isinstance(record.get(key), int | float)
