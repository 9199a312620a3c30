from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix

from cnnlab.errors import UsageError
from cnnlab.report.run_page import (
    MISTAKES,
    MOST_CLASSES_DRAWN,
    confusion,
    differences,
    duration,
    flat,
    mean_work,
    run_page,
    short,
    write_run_report,
)

from .reading import dangers, read
from .records import HOSTILE, images, predictions, recipe, write_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def test_a_runs_report_tells_all_it_knows(folder: Path) -> None:
    path = write_run_report(
        folder, predictions=predictions(), images=images(11, 12, 15), named_recipe=recipe(), macs=40_551_424
    )
    assert path == folder / "report.html"
    page = path.read_text(encoding="utf-8")
    text = read(page).text
    for expected in (
        "75.00%",
        "95% interval 40.00% to 93.00%; 8 images, protocol test/one",
        "62.50%",
        "1 min 15 s",
        "269,722",
        "Every value is the one of the recipe test/one.",
        "one device in place of two",
        "40.6 M multiply-accumulates",
        "about 15.2 G multiply-accumulates",  # 3 * 40,551,424 * 200 images * (1/2 * 1/4 + 1/2)
        "The test part was read once; times are UTC",
        "Of 3 mistakes among 8 images of the test part, protocol flip, those it was surest of.",
        "2026-01-02 03:04:05 UTC",
    ):
        assert expected in text
    assert dangers(page) == []
    assert [each["alt"] for each in read(page).named("img")] == [
        "image 15: dog taken for cat",
        "image 12: cat taken for dog",
        "image 11: cat taken for dog",
    ]


def test_a_report_can_be_made_anew_from_the_folder_alone(folder: Path) -> None:
    first = write_run_report(folder, predictions=predictions(), images=images(12)).read_bytes()
    assert write_run_report(folder).read_bytes() == first


def test_whatever_the_names_they_are_only_text(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", HOSTILE)
    path = write_run_report(
        folder, predictions=predictions((HOSTILE, "b", "c")), images=images(11, 12), named_recipe=recipe()
    )
    assert dangers(path.read_text(encoding="utf-8")) == []
    assert HOSTILE in read(path.read_text(encoding="utf-8")).text


def test_mistakes_are_called_by_their_files_and_link_to_them(folder: Path) -> None:
    names = [f"cat/{number} {HOSTILE.replace('/', '_')}.jpg" for number in range(7)] + ["dog/no\udcffutf.jpg"]
    named = {**predictions(), "names": names, "folder": str(folder.parent / "photos")}
    page = write_run_report(folder, predictions=named, images=images(11, 12, 15)).read_text(encoding="utf-8")
    assert dangers(page) == []
    links = [str(each["href"]) for each in read(page).named("a") if str(each["href"]).startswith("..")]
    assert [unquote(each) for each in links] == [f"../photos/{names[place]}" for place in (5, 2, 1)]
    for place in (5, 2, 1):
        assert names[place] in read(page).text
    assert write_run_report(folder).read_text(encoding="utf-8") == page


def test_a_hostile_picture_cannot_leave_the_page(folder: Path) -> None:
    write_run_report(folder, predictions=predictions(), images=images(12))
    kept = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    kept["images"]["12"] = 'x" onerror="alert(1)'
    (folder / "predictions.json").write_text(json.dumps(kept), encoding="utf-8")
    [picture] = read(run_page(folder)).named("img")
    assert picture.keys() == {"src", "alt"}


def test_an_unfinished_run_has_a_report_too(tmp_path: Path) -> None:
    page = run_page(write_run(tmp_path / "run", finished=False))
    text = read(page).text
    assert "run run; unfinished" in text
    assert "The run is not finished." in text
    assert "The test part was never read." in text
    assert "cnnlab report RUN --split val" in text
    assert "75.00%" not in text


def test_a_run_that_has_barely_begun_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(recipe()), encoding="utf-8")
    assert "Nothing was recorded." in run_page(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a run folder .*cnnlab train --run"):
        run_page(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", "{", r"result\.json cannot be read \(not JSON"),
        ("result.json", "[1]", "holds no JSON object"),
        ("result.json", '{"test": 3}', "is not as cnnlab writes it"),
        ("recipe.json", "{}", "is not as cnnlab writes it"),
        ("metrics.jsonl", "3\n", "is not as cnnlab writes it"),
        ("predictions.json", '{"class_names": ["a"]}', "is not as cnnlab writes it"),
        ("predictions.json", '{"class_names": ["a"], "labels": [5], "guesses": [0]}', "is not as cnnlab writes it"),
    ],
)
def test_a_spoilt_file_is_named(name: str, content: str, message: str, folder: Path) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        run_page(folder)


def test_a_line_cut_short_by_a_crash_is_left_out(folder: Path) -> None:
    before = run_page(folder)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 30, "spl')
    assert run_page(folder) == before


def test_what_differs_from_the_named_recipe_is_told(folder: Path) -> None:
    named = {**recipe(), "younger": 1, "batch_size": 128, "optimizer": {"lr": 0.1, "nesterov": True, "kind": "sgd"}}
    assert differences(recipe(), named) == [
        ("batch_size", 128, 10),
        ("optimizer.nesterov", True, None),
        ("optimizer.momentum", None, 0.9),
    ]
    cells = read(run_page(folder, named_recipe=named)).texts
    at = cells.index("batch_size")
    assert cells[at : at + 3] == ["batch_size", "128", "10"]


def test_a_run_on_the_hardest_images_costs_their_share(folder: Path) -> None:
    mine = {**json.loads((folder / "recipe.json").read_text()), "hardest": {"share": 0.5}}
    (folder / "recipe.json").write_text(json.dumps(mine))
    text = read(run_page(folder, macs=40_551_424)).text
    assert "images, trained on the hardest 50%" in text
    assert "about 7.6 G multiply-accumulates" in text  # half of what it is above
    mine["hardest"]["until"] = 0.75
    (folder / "recipe.json").write_text(json.dumps(mine))
    text = read(run_page(folder, macs=40_551_424)).text
    assert "images, trained on the hardest 50%, on all in the last 25%" in text
    assert "about 10.6 G multiply-accumulates" in text  # 0.7 of it: the first half, on small images, is a fifth


def test_the_flow_doctors_picture_is_shown_where_there_is_one(folder: Path) -> None:
    assert "Flow of gradients" not in run_page(folder)
    Image.new("RGB", (4, 4)).save(folder / "flow.png")
    page = run_page(folder)
    assert "Flow of gradients" in page
    assert len(read(page).named("img")) == 1


def test_confusion_is_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    labels, guesses = draw.integers(0, 4, 200), draw.integers(0, 4, 200)
    assert confusion(labels, guesses, 5) == confusion_matrix(labels, guesses, labels=range(5)).tolist()


def test_many_classes_are_told_in_a_table(folder: Path) -> None:
    count = 2 * MOST_CLASSES_DRAWN
    names = [f"class {i}" for i in range(count)]
    many = {
        **predictions(),
        "class_names": names,
        "labels": list(range(count)),
        "guesses": [(i + 1) % count for i in range(count)],
        "confidences": [0.5] * count,
        "indices": list(range(count)),
        "per_class": [{"name": n, "images": 1, "recognised": 0, "interval95": [0, 0.8]} for n in names],
    }
    page = write_run_report(folder, predictions=many, images=images(*range(count))).read_text(encoding="utf-8")
    text = read(page).text
    assert f"All {count} classes as a table" in text
    assert "What was taken for what" not in text
    assert len(read(page).named("img")) == MISTAKES


def test_no_mistake_is_said(folder: Path) -> None:
    right = {**predictions(), "guesses": predictions()["labels"]}
    text = read(write_run_report(folder, predictions=right).read_text(encoding="utf-8")).text
    assert "It made no mistake." in text
    assert "Nothing was confused." in text


def test_numbers_in_words() -> None:
    assert [short(each) for each in (950, 1.16e6, 4.31e14)] == ["950", "1.16 M", "431 T"]
    assert [duration(each) for each in (42, 570, 7500)] == ["42 s", "9 min 30 s", "2 h 5 min"]
    assert flat({"a": {"b": 1, "c": [2]}, "d": 3}) == {"a.b": 1, "a.c": [2], "d": 3}
    small = [{"until": 0.5, "pixels": 16}]
    assert mean_work(small, None, 32) == pytest.approx(0.5 / 4 + 0.5)
    assert mean_work(small, None, None) == mean_work([], None, 32) == 1
    assert mean_work([], {"share": 0.5}, 32) == pytest.approx(0.5)
    assert mean_work([], {"share": 0.5, "until": 0.75}, 32) == pytest.approx(0.75 / 2 + 0.25)
    assert mean_work(small, {"share": 0.4, "until": 0.75}, 32) == pytest.approx(0.5 / 4 * 0.4 + 0.25 * 0.4 + 0.25)
