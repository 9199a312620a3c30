from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.report.compare_page import MOST_CLASSES_DRAWN, compare_page, p_value, points

from .reading import dangers, read
from .records import HOSTILE, comparison, images


def test_a_comparison_tells_who_is_better_by_how_much_and_at_what_cost() -> None:
    page = compare_page(comparison(), images(7, 8))
    text = read(page).text
    for expected in (
        "a against b",
        "160 images, the test part of a",
        "a is better (p = 0.0044).",
        "+12.50",
        "+5.00 to +20.00",
        "McNemar, exact",
        "corrected for 1 pair (Holm 1979)",
        "40.6 M",
        "3.20 ms",
        "40 images (25.0%) are recognised by some and not by others",
    ):
        assert expected in text
    assert [each["alt"] for each in read(page).named("img")] == [
        "image 7, a a 0; a: a 90%; b: a 90%",
        "image 8, a a 1; a: a 80%; b: a 80%",
    ]


def test_photos_are_called_by_their_files_and_linked(tmp_path: Path) -> None:
    record = comparison()
    record["disagreements"][0] |= {"name": "cat/<7>.jpg", "file": str(tmp_path / "photos/cat/<7>.jpg")}
    page = compare_page(record, images(7, 8), tmp_path / "out")
    assert dangers(page) == []
    [link] = [each["href"] for each in read(page).named("a") if str(each["href"]).startswith("..")]
    assert link == "../photos/cat/%3C7%3E.jpg"
    assert "cat/<7>.jpg" in read(page).text


def test_no_difference_is_said() -> None:
    assert "a and b: no difference shown (p = 0.0044)." in read(compare_page(comparison(better=False), {})).text


def test_whatever_the_names_they_are_only_text() -> None:
    page = compare_page(comparison(HOSTILE), images(7))
    assert dangers(page) == []
    assert HOSTILE in read(page).text


def test_runs_that_recognise_the_same_images_have_no_gallery() -> None:
    record = {**comparison(), "disagreements": [], "disagreeing_images": 0}
    assert "They recognise the same images." in read(compare_page(record, {})).text


def test_many_pairs_are_folded_and_many_classes_cut() -> None:
    page = compare_page(comparison(runs=4, classes=2 * MOST_CLASSES_DRAWN), {})
    assert "3 more pairs" in read(page).text
    first = next(each["aria-label"] for each in read(page).named("svg") if "a − b" in (each.get("aria-label") or ""))
    assert first is not None
    assert first.count(";") == MOST_CLASSES_DRAWN - 1
    assert "a 0 " in first
    assert f"a {2 * MOST_CLASSES_DRAWN - 1} " in first


def test_seeds_and_other_protocols_are_told() -> None:
    record = comparison()
    record["runs"][0] |= {"seeds": [0.7, 0.8], "std": 0.0707}
    record["runs"][1] |= {"protocol": "center"}
    text = read(compare_page(record, {})).text
    assert "2: 70.00%, 80.00%; deviation 7.07%" in text
    assert "different protocols" in text


@pytest.mark.parametrize(
    ("p", "text"), [(0.5, "= 0.5"), (1, "= 1"), (0.012345, "= 0.012"), (0.00221, "= 0.0022"), (1e-7, "< 0.0001")]
)
def test_p_values_in_words(p: float, text: str) -> None:
    assert p_value(p) == text


def test_points_have_a_sign() -> None:
    assert (points(1.234), points(-0.5), points(0)) == ("+1.23", "−0.50", "+0.00")
