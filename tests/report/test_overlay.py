from __future__ import annotations

import json
from pathlib import Path

from cnnlab.report.overlay import MOST_DRAWN, overlay, read_curves

from .reading import read

CURVE = [
    {"step": 10, "split": "train", "loss": 2.0},
    {"step": 10, "split": "val", "top1": 0.25},
    {"step": 20, "split": "val", "top1": 0.75},
]


def test_each_run_is_a_line_with_its_last_value() -> None:
    text = read(overlay({"first": CURVE, "second": CURVE[:2]})).text
    for expected in ("Validation accuracy", "Training loss", "first", "second"):
        assert expected in text
    assert "Drawn are" not in text


def test_of_many_runs_as_many_are_drawn_as_there_are_colours() -> None:
    assert f"Drawn are the first {MOST_DRAWN} of 9." in read(overlay({str(i): CURVE for i in range(9)})).text


def test_curves_are_read_up_to_a_line_cut_short_and_a_run_without_any_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    lines = "".join(json.dumps(each) + "\n" for each in CURVE)
    (tmp_path / "a" / "metrics.jsonl").write_text(lines + '{"step": 3', encoding="utf-8")
    assert read_curves({name: tmp_path / name for name in ("a", "b", "gone")}) == {"a": CURVE}
