from __future__ import annotations

from typing import Any

from cnnlab.report.time_page import time_page

from .reading import dangers, read
from .records import HOSTILE

COST: dict[str, Any] = {
    "name": "conv2d",
    "forward_seconds": 0.001,
    "backward_seconds": 0.003,
    "seconds": 0.004,
    "macs": 2_000_000_000,
    "moved_bytes": 3_000_000,
    "kept_bytes": 4_000_000,
    "of_roof": 0.5,
}
POINT = {"batch_size": 4, "seconds": 0.004, "images_per_second": 1000.0, "kept_bytes": 4_000_000}
RECORD: dict[str, Any] = {
    **POINT,
    "model": "resnet20",
    "title": "resnet20, batches of 4",
    "device": "cpu",
    "dtype": "float32",
    "of_roof": 0.5,
    "whole": {"forward_seconds": 0.001, "backward_seconds": 0.003, "seconds": 0.004},
    "sum": COST,
    "layers": [COST, {**COST, "name": "fc", "of_roof": None}],
    "kinds": [COST],
    "sweep": [],
    "notes": ["Medians."],
}


def test_every_row_is_on_the_page_and_charts_only_where_there_was_a_sweep() -> None:
    plain = read(time_page(RECORD)).text
    assert "conv2d" in plain
    assert "2.000" in plain
    assert "100.0%" in plain
    assert "Memory against batch size" not in plain
    swept = read(time_page({**RECORD, "sweep": [POINT, {**POINT, "batch_size": 8}]})).text
    assert "Memory against batch size" in swept


def test_whatever_the_names_they_are_only_text() -> None:
    assert (
        dangers(time_page({**RECORD, "model": HOSTILE, "title": HOSTILE, "layers": [{**COST, "name": HOSTILE}]})) == []
    )
