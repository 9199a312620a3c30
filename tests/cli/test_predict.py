from __future__ import annotations

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


def test_top_says_how_many_classes(cli: Cli, tiny_run: Path, mixed: list[Path]) -> None:
    [each] = cli("predict", tiny_run, mixed[0], "--top", "1", "--json").json["predictions"]
    assert (len(each["names"]), len(each["probabilities"])) == (1, 1)


@pytest.mark.parametrize("name", ["gone.jpg", "."])
def test_a_path_that_is_no_file_is_bad_data(name: str, cli: Cli, tiny_run: Path) -> None:
    found = cli("predict", tiny_run, name)
    assert found.code == 3
    assert name in found.out
