from __future__ import annotations

from typing import Any

import pytest

from cnnlab.report.bench_page import bench_page, cells, figure

from .reading import dangers, read
from .records import HOSTILE

PLOT: dict[str, Any] = {
    "name": "speed-by-batch",
    "title": "Speed against batch size",
    "x_label": "images a batch",
    "y_label": "images/s",
    "curves": [
        {"label": "predicted", "points": [[1, 10.0], [32, 10.0]], "dashed": True},
        {"label": "measured", "points": [[1, 10.0], [32, 12.0]], "dashed": False},
    ],
    "log_x": True,
    "shares": False,
    "from_zero": True,
}
CASE: dict[str, Any] = {
    "name": "batch 1",
    "unit": "ms",
    "against": "torchvision",
    "values": {"torchvision": [80.0, 100.0, 90.0], "cnnlab": [45.0, 40.0, 50.0]},
    "ratios": {"torchvision": 1.0, "cnnlab": 2.0},
}
ROW: dict[str, Any] = {
    "row": "infer-resnet50",
    "what": "resnet50 answers",
    "rounds": 3,
    "cases": [CASE],
    "plots": [PLOT],
    "notes": ["Said of the row."],
}
RECORD: dict[str, Any] = {
    "rows": [ROW],
    "missing": {"onnxruntime": "pip install 'cnnlab[export]'"},
    "machine": {"macs_per_second": 1e11, "bytes_per_second": 2e10},
    "environment": {
        "processor": "A processor",
        "cores": 2,
        "threads": 2,
        "packages": {"torch": "2.15.0"},
        "time": "2026-11-28T08:00:00",
    },
}


def test_a_line_a_way_with_median_spread_and_ratio() -> None:
    assert cells(ROW) == [
        ("batch 1", "torchvision", "90.0 ms", "80.0", "100", "1.00"),
        ("batch 1", "cnnlab", "45.0 ms", "40.0", "50.0", "2.00"),
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0714, "0.071"), (0.9996, "1.000"), (1.234, "1.23"), (47.96, "48.0"), (123.4, "123"), (32_100.4, "32,100")],
)
def test_three_digits_count(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_the_page_has_the_tables_the_charts_and_what_was_missing() -> None:
    text = read(bench_page(RECORD)).text
    for said in ("infer-resnet50", "45.0 ms", "Speed against batch size", "Said of the row.", "100 GMAC/s"):
        assert said in text
    assert "onnxruntime (pip install 'cnnlab[export]')" in text


def test_whatever_the_names_they_are_only_text() -> None:
    hostile = {**ROW, "row": HOSTILE, "notes": [HOSTILE], "cases": [{**CASE, "name": HOSTILE}]}
    assert dangers(bench_page({**RECORD, "rows": [hostile]})) == []
