from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.explain.draw_style import CLASSES, DARK, LIGHT, moved, number, rect, stylesheet, text, text_width, wire

coordinates = st.floats(-2000, 2000).map(lambda value: round(value, 1))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["page", "card", "conv", "point", "pool", "linear", "other", "badge"])
def test_text_can_be_read_on_its_box(palette: dict[str, tuple[str, str, str]], name: str) -> None:
    fill, _, written = palette[name]
    bright, dark = sorted((luminance(fill), luminance(written)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, level AA


def test_both_palettes_have_all_classes() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert set(CLASSES.values()) <= LIGHT.keys()


def test_dark_colours_are_for_readers_who_ask_for_dark() -> None:
    light, _, dark = stylesheet().partition("@media (prefers-color-scheme: dark)")
    assert f".conv {{ fill: {LIGHT['conv'][0]}" in light
    assert f".conv {{ fill: {DARK['conv'][0]}" in dark
    assert "url(" not in stylesheet()


@given(st.text(st.characters(exclude_categories=["C"]), max_size=20))
def test_any_text_stays_text(content: str) -> None:
    assert (ET.fromstring(text(1, 2, content, "title")).text or "") == content


def test_wide_signs_need_more_room() -> None:
    assert text_width("3×3") > text_width("3.3")
    assert text_width("3×3", 20) == pytest.approx(2 * text_width("3×3", 10))


@given(coordinates)
def test_numbers_are_short_and_right_to_a_tenth(value: float) -> None:
    written = number(value)
    assert abs(float(written) - value) < 0.051
    assert re.fullmatch(r"-?\d+(\.[1-9])?", written)


@given(st.lists(st.tuples(coordinates, st.booleans()), min_size=2, max_size=6), coordinates, coordinates)
def test_a_line_starts_and_ends_where_it_should(steps: list[tuple[float, bool]], x: float, y: float) -> None:
    points = [(x, y)]
    for length, across in steps:  # lines turn by right angles
        points.append((points[-1][0] + length * across, points[-1][1] + length * (not across)))
    path = ET.fromstring(wire(points)).get("d", "")
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", path)]
    assert numbers[:2] == pytest.approx(points[0], abs=0.11)
    assert numbers[-2:] == pytest.approx(points[-1], abs=0.11)


def test_pieces_are_well_formed() -> None:
    svg = moved(rect(0, 1, 2.25, 3, "conv"), 4, -5)
    assert svg == '<g transform="translate(4 -5)"><rect x="0" y="1" width="2.2" height="3" rx="4" class="conv"/></g>'
    assert wire([(0, 0), (5, 0)], tip=True).count('class="tip"') == 1
