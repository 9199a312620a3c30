from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.report.charts import (
    CELL,
    HEIGHT,
    MOST_POINTS,
    WIDTH,
    Axis,
    Line,
    Mark,
    Row,
    heat_map,
    line_chart,
    log_ticks,
    number,
    row_chart,
    thin,
    ticks,
    whole_percent,
)
from cnnlab.report.page import Html

from .reading import read

sizes = st.floats(1e-6, 1e9)
anything = st.floats() | st.floats(-1e12, 1e12)


def drawn(chart: Html) -> ElementTree.Element:
    """The chart's drawing, which must be well-formed."""
    [svg] = re.findall(r"<svg viewBox=\"[^\"]*\" role=.*?</svg>", chart, re.DOTALL)
    return ElementTree.fromstring(svg)


def places(chart: Html) -> list[float]:
    """Every number in the drawing's paths, circles, lines and rectangles."""
    found = []
    for each in drawn(chart).iter():
        values = [each.get("d", "").partition("l")[0]]
        values += [each.get(key, "") for key in ("x1", "x2", "y1", "y2", "cx", "cy", "x", "y", "width")]
        found += [float(value) for text in values for value in re.findall(r"-?[\d.]+(?:e-?\d+)?|nan|inf", text)]
    return found


# -- axes --------------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), sizes, st.integers(2, 8))
def test_ticks_are_round_few_and_inside(low: float, size: float, count: int) -> None:
    high = low + size
    if high - low < abs(low) * 1e-9:
        return
    found = ticks(low, high, count)
    slack = (high - low) * 1e-6
    assert all(low - slack <= each <= high + slack for each in found)
    assert len(found) <= count + 1
    steps = [second - first for first, second in pairwise(found)]
    for step in steps:
        assert step == pytest.approx(steps[0], rel=1e-3)
        leading = step / 10 ** math.floor(math.log10(step) + 1e-6)
        assert min(abs(leading - each) for each in (1, 2, 5, 10)) < 1e-2


@given(st.floats(1e-9, 1e6), st.floats(1.01, 1e9))
def test_log_ticks_are_inside_and_few(low: float, ratio: float) -> None:
    found = log_ticks(low, low * ratio)
    assert 1 <= len(found) <= 9
    assert all(low * 0.999 <= each <= low * ratio * 1.001 for each in found)


@pytest.mark.parametrize("log", [False, True])
def test_an_axis_goes_from_its_start_to_its_end(log: bool) -> None:
    axis = Axis(1, 100, 50, 250, log)
    assert (axis.at(1), axis.at(100)) == (50, 250)
    assert axis.at(10) == pytest.approx(150 if log else 50 + 200 * 9 / 99)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.05, "0.05"),
        (12, "12"),
        (1500, "1,500"),
        (20_000, "20k"),
        (3e6, "3M"),
        (1e-5, "1e-5"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_shares_have_the_digits_they_need() -> None:
    assert [whole_percent(each) for each in (0.5, 0.025, 1)] == ["50%", "2.5%", "100%"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_thinning_keeps_order_ends_and_extremes(values: list[float]) -> None:
    points = list(enumerate(values))
    kept = thin(points)
    assert len(kept) <= MOST_POINTS
    assert kept == sorted(kept)
    assert {points[0], points[-1]} <= set(kept)
    heights = [y for _, y in kept]
    assert (min(heights), max(heights)) == (min(values), max(values))


# -- lines -------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.lists(st.tuples(anything, anything), max_size=5).map(sorted), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_any_numbers_are_drawn_on_the_paper(
    lines: list[list[tuple[float, float]]], log: bool, log_x: bool, zero: bool
) -> None:
    chart = line_chart(
        "t",
        [Line(f"line {i}", points, i) for i, points in enumerate(lines)],
        x_label="x",
        log=log,
        log_x=log_x,
        from_zero=zero,
    )
    if "Nothing was recorded" in chart:
        return
    assert all(math.isfinite(each) and -1 <= each <= WIDTH + 1 for each in places(chart))


def test_a_line_is_where_its_numbers_say() -> None:
    chart = line_chart("Loss", [Line("train", [(0, 0), (10, 1), (20, 2)])], x_label="step")
    [path] = drawn(chart).iter("path")
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, pair.split())) for pair in path.attrib["d"][1:].split("L")]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y0 > y1 > y2
    assert len(list(drawn(chart).iter("circle"))) == 3


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = line_chart(
        "Accuracy", [Line("train", [(1, 0.2), (9, 0.75)])], x_label="step", shares=True, marks=[Mark("paper", 0.9125)]
    )
    assert drawn(chart).attrib["aria-label"] == "Accuracy by step: train 20% to 75%; paper 91.25%"
    assert "train 75%" in read(chart).text
    assert "paper 91.25%" in read(chart).text


def test_what_a_logarithm_cannot_show_is_left_out() -> None:
    chart = line_chart("lr", [Line("lr", [(0, 0.0), (1, 1.0), (2, 0.01)])], x_label="step", log=True)
    assert len(list(drawn(chart).iter("circle"))) == 2


def test_marks_are_levels_or_crosses() -> None:
    chart = line_chart(
        "t",
        [Line("ours", [(20, 0.3), (56, 0.4)])],
        x_label="layers",
        marks=[Mark("level", 0.2), Mark("there", 0.1, 56)],
    )
    [cross] = [each for each in drawn(chart).iter("path") if "l8 8" in each.attrib["d"]]
    assert [each.text for each in cross] == ["there"]
    assert len([each for each in drawn(chart).iter("line") if "dashed" in each.get("class", "")]) == 1


@pytest.mark.parametrize("points", [[], [(1, math.nan)], [(math.inf, 1)]])
def test_without_a_point_the_chart_says_so(points: list[tuple[float, float]]) -> None:
    assert "Nothing was recorded" in line_chart("t", [Line("a", points)], x_label="x")


# -- rows --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_any_rows_are_drawn_on_the_paper(values: list[tuple[float, float]], bars: bool, zero: bool) -> None:
    rows = [Row(f"row {i}", value, (value - half, value + half)) for i, (value, half) in enumerate(values)]
    chart = row_chart("t", rows, bars=bars, zero=zero)
    assert all(math.isfinite(each) and -1 <= each <= max(WIDTH, HEIGHT) + 1 for each in places(chart))


def test_a_bar_is_as_long_as_its_value() -> None:
    chart = row_chart("t", [Row("a", 1.0), Row("b", 3.0)], bars=True)
    one, three = [float(each.attrib["width"]) for each in drawn(chart).iter("rect")]
    assert three == pytest.approx(3 * one, abs=0.2)


def test_rows_say_their_value_and_interval() -> None:
    chart = row_chart("Accuracy", [Row("cat", 0.5, (0.4, 0.6))], shares=True)
    assert drawn(chart).attrib["aria-label"] == "Accuracy: cat 50.00% (40.00% to 60.00%)"
    assert "50.00%" in read(chart).text


def test_a_long_label_is_cut_and_kept_whole_in_its_tooltip() -> None:
    label = "a class with a very long name indeed"
    texts = [each for each in drawn(row_chart("t", [Row(label, 1.0)])).iter("text") if "…" in "".join(each.itertext())]
    assert [next(iter(each)).text for each in texts] == [label]


def test_no_rows_say_so() -> None:
    assert "Nothing was recorded" in row_chart("t", [])


# -- heat maps ---------------------------------------------------------------------------------------------------


def test_a_heat_map_has_a_cell_for_every_pair_and_says_each() -> None:
    chart = heat_map("t", ["cat", "dog"], [[8, 2], [0, 10]], rows="truth", columns="answer")
    cells = [each for each in drawn(chart).iter("g") if each.find("rect") is not None]
    assert [each.find("title").text for each in cells] == [
        "truth cat, answer cat: 8 (80.0%)",
        "truth cat, answer dog: 2 (20.0%)",
        "truth dog, answer cat: 0 (0.0%)",
        "truth dog, answer dog: 10 (100.0%)",
    ]
    opacity = [float(each.find("rect").attrib["fill-opacity"]) for each in cells]
    assert opacity[2] < opacity[0] < opacity[3]
    assert [each.find("rect").attrib["class"] for each in cells] == ["heat", "heat-miss", "heat-miss", "heat"]
    x = [float(each.find("rect").attrib["x"]) for each in cells]
    assert x[1] - x[0] == pytest.approx(CELL, abs=0.11)


def test_a_heat_map_without_mistakes_or_images_is_drawn() -> None:
    assert len(list(drawn(heat_map("t", ["a"], [[3]], rows="r", columns="c")).iter("rect"))) == 1
    assert len(list(drawn(heat_map("t", ["a", "b"], [[0, 0], [0, 0]], rows="r", columns="c")).iter("rect"))) == 4
