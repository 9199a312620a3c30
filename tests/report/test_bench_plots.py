from __future__ import annotations

from pathlib import Path

from PIL import Image

from cnnlab.report.bench_plots import draw_bench, draw_plot, solid_labels, whole_percent_ticks

from .test_bench_page import PLOT, RECORD


def test_every_plot_becomes_a_picture_named_for_its_row(tmp_path: Path) -> None:
    [path] = draw_bench(RECORD, tmp_path / "new")
    assert path.name == "infer-resnet50-speed-by-batch.png"
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (910, 598))
        assert len(picture.convert("RGB").getcolors(10**6) or []) > 20


def test_runs_of_the_same_thing_are_told_once(tmp_path: Path) -> None:
    assert solid_labels(PLOT) == ["measured"]
    twice = {**PLOT, "curves": [*PLOT["curves"], PLOT["curves"][1]]}
    assert solid_labels(twice) == ["measured"]
    assert draw_plot(twice, tmp_path / "a.png").is_file()


def test_shares_and_names_that_no_font_has(tmp_path: Path) -> None:
    curves = [{**each, "label": "cost $5 \U0001f600"} for each in PLOT["curves"]]
    assert draw_plot({**PLOT, "log_x": False, "shares": True, "curves": curves}, tmp_path / "a.png").is_file()
    assert whole_percent_ticks(0.925, 0) == "92.5%"
