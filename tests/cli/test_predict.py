from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ..conftest import CLASSES, draw
from .conftest import Cli


@pytest.fixture
def mixed(shapes: Path, tmp_path: Path) -> list[Path]:
    """A folder's files: two photos and three that are none."""
    folder = tmp_path / "mixed [b]"
    folder.mkdir()
    shutil.copy(shapes / "disc" / "00.jpg", folder / "a.jpg")
    Image.fromarray(draw("checks", 1)).convert("LA").save(folder / "b.png")
    (folder / "c.jpg").write_bytes(b"")
    (folder / "d.jpg").write_text("text", encoding="utf-8")
    (folder / "e.jpg").write_bytes((folder / "a.jpg").read_bytes()[:200])
    return sorted(folder.iterdir())


def test_good_photos_are_answered_and_bad_ones_named(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    found = cli("predict", tiny_run, *mixed, "--json")
    assert found.code == 3
    values = found.json
    assert [Path(each["path"]).name for each in values["predictions"]] == ["a.jpg", "b.png"]
    assert [Path(each["path"]).name for each in values["refused"]] == ["c.jpg", "d.jpg", "e.jpg"]
    assert all(each["reason"] for each in values["refused"])


def test_people_see_a_line_a_file(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    lines = cli("predict", tiny_run, *mixed).out.splitlines()
    assert lines.pop() == "2 of 5 files answered, 3 refused"
    assert [line.startswith("refused: ") for line in lines] == [False, False, True, True, True]
    assert lines[0].startswith(f"{mixed[0]}: ")
    assert all(str(path.parent) in line for path, line in zip(mixed, lines, strict=True))


def test_good_photos_alone_end_with_0(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    found = cli("predict", tiny_run, *mixed[:2], "--json")
    assert found.code == 0
    assert found.json["refused"] == []
    for each in found.json["predictions"]:
        assert sorted(each["names"]) == sorted(CLASSES)
        assert sum(each["probabilities"]) == pytest.approx(1, abs=1e-6)


def test_fast_answers_are_the_same_but_for_rounding(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    plain, fast = (cli("predict", tiny_run, *mixed[:2], *more, "--json").json for more in ((), ("--fast",)))
    for ours, theirs in zip(fast["predictions"], plain["predictions"], strict=True):
        assert ours["names"] == theirs["names"]
        assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)


def test_top_says_how_many_classes(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    [each] = cli("predict", tiny_run, mixed[0], "--top", "1", "--json").json["predictions"]
    assert (len(each["names"]), len(each["probabilities"])) == (1, 1)


@pytest.mark.parametrize(("name", "said"), [("gone.jpg", "gone.jpg: cannot be read"), (".", ". has no images (.jpg")])
def test_a_path_that_is_no_image_is_bad_data(name: str, said: str, cli: Cli, tiny_run: Path) -> None:
    found = cli("predict", tiny_run, name)
    assert found.code == 3
    assert said in found.out + found.err


def test_a_folder_stands_for_the_images_below_it(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    found = cli("predict", tiny_run, shapes, "--json")
    assert found.code == 0
    paths = [Path(each["path"]) for each in found.json["predictions"]]
    assert paths == sorted(shapes.rglob("*.jpg"))


@pytest.mark.parametrize(("share", "code"), [("0", 3), ("0.5", 3), ("0.6", 0), ("1", 0)])
def test_as_many_bad_files_as_allowed_are_no_failure(
    share: str, code: int, cli: Cli, tiny_run: Path, mixed: list[Path]
) -> None:
    found = cli("predict", tiny_run, *mixed, "--max-bad", share, "--json")
    assert found.code == code
    assert len(found.json["refused"]) == 3


def test_predictions_are_written_to_a_file(cli: Cli, tiny_run: Path, mixed: list[Path], tmp_path: Path) -> None:
    found = cli("predict", tiny_run, mixed[0].parent, "--top", "2", "--out", tmp_path / "found.csv", "--max-bad", "1")
    assert found.code == 0
    assert found.out.splitlines()[-1] == f"2 of 5 files answered to {tmp_path / 'found.csv'}, 3 refused"
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "class_1", "probability_1", "class_2", "probability_2", "refused"]
    assert [Path(row["path"]).name for row in rows] == ["a.jpg", "b.png", "c.jpg", "d.jpg", "e.jpg"]
    assert [bool(row["refused"]) for row in rows] == [False, False, True, True, True]


def test_an_unknown_ending_is_refused_before_anything_is_computed(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    found = cli("predict", tiny_run, *mixed, "--out", "found.xls")
    assert (found.code, found.out) == (2, "")
    assert "--out found.xls: predictions are written as .csv, .json, .parquet" in found.err


def test_a_folder_is_told_with_what_is_left_out_and_what_is_damaged(
    cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path
) -> None:
    folder, linked = tmp_path / "photos", tmp_path / "linked"
    for path in (folder / "@eaDir", linked):
        path.mkdir(parents=True)
    shutil.copy(shapes / "disc" / "00.jpg", linked / "linked.jpg")
    (folder / "more").symlink_to(linked)
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "read me.txt").write_bytes(b"x")
    data = (shapes / "disc" / "00.jpg").read_bytes()
    (folder / "spoilt.jpg").write_bytes(data[:-2] + bytes(50) + data[-2:])
    found = cli("predict", tiny_run, folder, "--json")
    assert found.code == 0
    assert [Path(each["path"]).name for each in found.json["predictions"]] == ["linked.jpg", "spoilt.jpg"]
    left_out = "; ".join(found.json["left_out"])
    assert all(each in left_out for each in ("Synology NAS: @eaDir", "Windows: Thumbs.db", "1 .txt"))
    assert found.json["damaged"][0].startswith(f"{folder}/spoilt.jpg: Corrupt JPEG data")
    lines = cli("predict", tiny_run, folder).out.splitlines()
    assert sum(line.startswith("note: ") for line in lines) == 4


def test_odd_names_keep_to_their_line(cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path) -> None:
    names = ["two\nlines.jpg", "red\x1b[31m.jpg", os.fsdecode(b"caf\xe9.jpg"), "[bold]x[/bold].jpg".replace("/", ":")]
    for name in names:
        shutil.copy(shapes / "disc" / "00.jpg", tmp_path / name)
    found = cli("predict", tiny_run, *(tmp_path / name for name in names))
    assert found.code == 0
    assert len(found.out.splitlines()) == len(names)
    assert all(shown in found.out for shown in (r"two\nlines", r"red\x1b[31m", r"caf\udce9", "[bold]x"))
    for ending in ("csv", "json"):
        assert cli("predict", tiny_run, *(tmp_path / n for n in names), "--out", tmp_path / f"p.{ending}").code == 0
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]  # whole, so that the files are found again by them
    assert [Path(path).name for path in paths] == [*names[:2], r"caf\udce9.jpg", names[3]]
    assert [row["path"] for row in json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))] == paths
