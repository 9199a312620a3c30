from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnlab.report.eval_page import eval_page

from .reading import dangers, read
from .records import HOSTILE, images

CLASSES = [
    {"name": "cat", "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "auc": 0.875, "images": 4},
    {"name": "dog", "precision": 0.75, "recall": 1.0, "f1": 6 / 7, "auc": None, "images": 6},
]
MEAN = {"precision": 0.625, "recall": 0.625, "f1": 0.6, "auc": None, "images": 10}
ROW: dict[str, Any] = {
    "protocol": "10crop",
    "views": 10,
    "images": 10,
    "top1": 0.7,
    "top5": 1.0,
    "loss": 0.5,
    "interval95": [0.4, 0.9],
    "seconds": 2.0,
    "seconds_per_image": 0.2,
    "macs": 18_000_000_000,
    "skipped": [],
}
RECORD = {"run": "runs/mine", "runs": ["runs/mine"], "members": 1, "data": "photos", "split": "test", **ROW}


def test_the_figures_of_a_single_protocol_are_on_the_page() -> None:
    page = eval_page(RECORD)
    for text in ("runs/mine", "10 images, the test part of photos", "70.00%", "40.00% to 90.00%", "10crop", ">18 G<"):
        assert text in page
    assert "Calibration" not in page
    assert "Classes" not in page


def test_mistakes_show_their_photo_and_link_to_it(tmp_path: Path) -> None:
    mistake = {"index": 7, "name": "cat/7.jpg", "label": "cat", "guess": "dog", "confidence": 0.875}
    mistakes = [{**mistake, "file": str(tmp_path / "photos/cat/7.jpg")}, {**mistake, "index": 8, "file": None}]
    notes = ["of 12 images of photos, 2 were trained on by runs/mine and are left out: a.jpg, b.jpg"]
    page = eval_page({**RECORD, "part": "all of photos", "mistakes": mistakes, "notes": notes}, images(7, 8), tmp_path)
    assert dangers(page) == []
    assert [each["href"] for each in read(page).named("a")][-1] == "photos/cat/7.jpg"
    for text in ("10 images, all of photos", "87.5% sure", "truth: cat", "cat/7.jpg", *notes):
        assert text in read(page).text


def test_several_protocols_are_side_by_side() -> None:
    other = {**ROW, "protocol": "144crop", "top1": 0.8, "views": 144}
    page = eval_page({**RECORD, "protocols": [ROW, other]})
    assert "144crop" in page
    assert "80.00%" in page


def test_classes_calibration_members_and_what_was_left_out_are_shown_where_there_are_such() -> None:
    measures = {"nll": 0.5, "brier": 0.25, "ece": 0.125}
    calibration = {
        "temperature": 1.75,
        "fitted_on": "the val part",
        "judged_images": 10,
        "before": measures,
        "after": {**measures, "ece": 0.0625},
    }
    per_class = {"per_class": CLASSES, "averages": {"macro": MEAN, "weighted": MEAN}, "confusion": [[1, 3], [0, 6]]}
    more = {"members": 2, "runs": ["runs/a", "runs/b"], "skipped": ["bad.jpg: truncated"]}
    page = eval_page({**RECORD, **per_class, **more, "calibration": calibration})
    for text in (
        "An ensemble of 2",
        "runs/b",
        "0.8750",
        "macro mean",
        "1.750",
        "12.50%",
        "The temperature is fitted on the val part",
        "6.25%",
        "bad.jpg: truncated",
    ):
        assert text in page


def test_the_tiles_say_by_which_protocol() -> None:
    text = read(eval_page(RECORD)).text
    assert "95% interval 40.00% to 90.00%; protocol 10crop, 10 views per image" in text


def test_a_class_without_images_has_no_figures_and_the_means_say_so() -> None:
    gone = {"name": "ship", "precision": None, "recall": None, "f1": None, "auc": None, "images": 0}
    per_class = {"per_class": [*CLASSES, gone], "averages": {"macro": MEAN, "weighted": MEAN}}
    page = eval_page({**RECORD, **per_class, "confusion": [[1, 3, 0], [0, 6, 0], [0, 0, 0]]})
    assert "The means leave out the classes without images here" in read(page).text


def test_whatever_the_names_they_are_only_text() -> None:
    classes = [{**each, "name": HOSTILE} for each in CLASSES]
    per_class = {"per_class": classes, "averages": {"macro": MEAN, "weighted": MEAN}, "confusion": [[1, 3], [0, 6]]}
    page = eval_page({**RECORD, **per_class, "data": HOSTILE, "run": HOSTILE, "skipped": [HOSTILE]})
    assert dangers(page) == []
    assert HOSTILE in read(page).text


def test_top5_is_told_apart_only_where_there_are_more_than_five_classes() -> None:
    few = {"per_class": CLASSES, "averages": {"macro": MEAN, "weighted": MEAN}, "confusion": [[1, 3], [0, 6]]}
    many = {**few, "per_class": [{**CLASSES[0], "name": str(number)} for number in range(6)]}
    many["confusion"] = [[1] * 6] * 6
    assert eval_page({**RECORD, **many}).count("top-5") == eval_page({**RECORD, **few}).count("top-5") + 1
