from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cnnlab.cli.outputs import PAGE, PICTURE, require_output, require_output_folder, told, try_to_write, with_problem
from cnnlab.errors import UsageError

from .conftest import Cli

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("name", ["a.html", "A.HTML", "new/deeper/a.Htm"])
def test_capitals_and_folders_still_to_be_made_are_accepted(name: str, tmp_path: Path) -> None:
    require_output("--out", tmp_path / name, PAGE)
    assert not (tmp_path / "new").exists()  # nothing is made before there is something to write
    assert try_to_write(tmp_path / name, lambda path: path.write_text("figures", encoding="utf-8")) is None
    assert (tmp_path / name).read_text(encoding="utf-8") == "figures"


@pytest.mark.parametrize(
    ("name", "endings", "message"),
    [
        ("a.png", (".svg",), "--out .*a.png: written as .svg; give a name that ends so"),
        ("a", PICTURE, "written as .png, .svg or .pdf"),
        ("folder.html", PAGE, "is a folder; give a file in it"),
        ("file/a.html", PAGE, "file is a file; choose another place"),
        ("x" * 300 + ".html", PAGE, "cannot be written: File name too long"),
    ],
)
def test_what_could_not_be_written_is_refused(
    name: str, endings: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=message):
        require_output("--out", tmp_path / name, endings)


def test_a_place_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="no permission in "):
        require_output("--out", tmp_path / "new" / "a.html", PAGE)
    with pytest.raises(UsageError, match="no permission in "):
        require_output_folder("--run", tmp_path / "new")


def test_nothing_asked_for_is_nothing_refused() -> None:
    require_output("--out", None, PAGE)
    require_output_folder("--run", None)
    assert try_to_write(None, lambda path: path.touch()) is None


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; choose another place"):
        require_output_folder("--run", tmp_path / "file")


def test_a_problem_is_told_after_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Path) -> None:
        raise FULL

    problem = try_to_write(tmp_path / "a.html", fail)
    assert problem is not None
    assert with_problem({"top1": 0.5}, None) == {"top1": 0.5}
    assert with_problem({"top1": 0.5}, problem) == {
        "top1": 0.5,
        "error": {"kind": "OutputError", "message": problem, "exit_code": 1},
    }
    assert (told(problem), told(None)) == (1, 0)
    assert capsys.readouterr().err.endswith(
        "a.html could not be written: No space left on device; the figures above stand\n"
    )


# -- in commands -----------------------------------------------------------------------------------------------------


def no_space(*_: Any, **__: Any) -> None:
    raise FULL


def test_an_accuracy_is_told_though_its_page_cannot_be_written(
    cli: Cli, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.report.page.write_page", no_space)
    found = cli("eval", own_run, "--out", "page.html")
    assert found.code == 1
    assert "accuracy" in found.out
    assert "page.html could not be written: No space left on device" in found.err
    found = cli("eval", own_run, "--out", "page.html", "--json")
    assert (found.code, found.json["error"]["kind"]) == (1, "OutputError")
    assert 0 <= found.json["top1"] <= 1


def test_a_comparison_is_told_though_its_page_cannot_be_written(
    cli: Cli, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.evaluate.compare.LATENCY_SECONDS", 0.0)
    monkeypatch.setattr("cnnlab.report.page.write_page", no_space)
    found = cli("compare", own_run, own_run, "--split", "val", "--out", "page.html")
    assert found.code == 1
    assert "no difference: both recognise the same images" in found.out
    assert "page page.html" not in found.out


def test_predictions_are_told_though_they_cannot_be_written(
    cli: Cli, own_run: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.evaluate.predictions.write_predictions", no_space)
    found = cli("predict", own_run, shapes / "disc", "--out", "a.csv")
    assert found.code == 1
    assert found.out.count(".jpg: ") == 12


def test_capitals_and_a_missing_folder_are_no_hindrance(cli: Cli, own_run: Path, shapes: Path, tmp_path: Path) -> None:
    photo = shapes / "disc" / "00.jpg"
    assert cli("predict", own_run, photo, "--out", "new/A.CSV").code == 0
    assert (tmp_path / "new" / "A.CSV").read_text(encoding="utf-8").startswith("path,class_1")
    assert cli("predict", own_run, photo, "--out", "new/A.JSON").code == 0
    assert len(json.loads((tmp_path / "new" / "A.JSON").read_text(encoding="utf-8"))) == 1
    assert cli("features", own_run, photo, "--out", "more/A.NPY").code == 0
    assert (tmp_path / "more" / "A.NPY").is_file()
    assert cli("inspect", "graph", "lenet5", "--out", "drawn/A.SVG").code == 0
    assert (tmp_path / "drawn" / "A.SVG").is_file()
    assert cli("data", "split", shapes, "--out", "listed/A.CSV").code == 0
    assert (tmp_path / "listed" / "A.CSV").is_file()
    assert cli("eval", own_run, "--out", "pages/A.HTML").code == 0
    assert (tmp_path / "pages" / "A.HTML").is_file()


def test_a_failed_start_leaves_no_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad" / "only").mkdir(parents=True)
    (tmp_path / "bad" / "only" / "a.txt").write_text("no image", encoding="utf-8")
    for more in ((), ("--run", "runs/mine"), ("--run", "deep/er/mine"), ("--runs", "2"), ("--overfit", "2")):
        assert cli("train", "bad", *more).code == 3
        assert sorted(each.name for each in tmp_path.iterdir()) == ["bad"]
