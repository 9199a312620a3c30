from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cnnlab.data.division import read_division
from cnnlab.errors import DataError, InterruptedRunError
from cnnlab.recipes.recipe import RandomArea, Recipe
from cnnlab.train.run import Settings, require_the_same, resume_run, train_run
from cnnlab.train.watch import Moment, Watch
from tests.conftest import CLASSES, draw
from tests.train.training import RECIPE

IN_MEMORY = replace(RECIPE, steps=4, batch_size=8, folder_pixels=16)
ON_DISK = replace(
    IN_MEMORY,
    crop=RandomArea(pixels=16),
    normalisation="imagenet",
    augment=(),
    test_resize_pixels=18,
    test_crop_pixels=16,
)


class StopAtTwo(Watch):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def said(self, message: str) -> None:
        self.lines.append(message)

    def stepped(self, moment: Moment) -> None:
        if moment.step == 2:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for kind in CLASSES:
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(draw(kind, number, (20 + number, 24))).save(tmp_path / f"photos/{kind}/{number:03}.png")
    return tmp_path / "photos"


def stopped(recipe: Recipe, run: Path, data: str) -> Path:
    with pytest.raises(InterruptedRunError):
        train_run(recipe, Settings(data=data, device="cpu"), run, watch=StopAtTwo())
    return run


@pytest.mark.parametrize("recipe", [IN_MEMORY, ON_DISK], ids=["in memory", "on disk"])
def test_a_resumed_run_goes_on_with_what_it_was_given_from_any_folder(
    recipe: Recipe, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = train_run(recipe, Settings(data="photos", device="cpu"), tmp_path / "alone")
    run = stopped(recipe, tmp_path / "run", "photos")
    settings = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    assert settings["data"] == str(photos)
    for number in range(12):  # which would have made other parts
        Image.fromarray(draw("disc", 900 + number)).save(photos / f"disc/a{number}.png")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    watch = StopAtTwo()
    result = resume_run(run, watch=watch).result
    assert result["test"]["loss"] == alone.result["test"]["loss"]
    assert (run / "model.safetensors").read_bytes() == (alone.folder / "model.safetensors").read_bytes()
    assert any(line.startswith("left out, 12 images that the run was not given, added since") for line in watch.lines)


@pytest.mark.parametrize("recipe", [IN_MEMORY, ON_DISK], ids=["in memory", "on disk"])
def test_data_that_changed_is_named_and_refused(recipe: Recipe, photos: Path, tmp_path: Path) -> None:
    run = stopped(recipe, tmp_path / "run", str(photos))
    division = read_division(run)
    assert division is not None
    first, second = division.paths[0], division.paths[1]
    shutil.copy(photos / second, photos / first)
    with pytest.raises(DataError, match=f"has changed since it began: 1 image altered since: {first}; put it back"):
        resume_run(run)
    (photos / first).unlink()
    (photos / second).rename(photos / "disc/other.png")
    with pytest.raises(DataError) as caught:
        resume_run(run)
    assert f"1 image no longer there: {first}; 1 image moved since: {second} (now disc/other.png)" in str(caught.value)


def test_the_same_data_may_be_spelt_otherwise(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(IN_MEMORY, tmp_path / "run", str(photos))
    (tmp_path / "link").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    for data in ("photos", "./photos/", "link"):
        require_the_same(run, IN_MEMORY, Settings(data=data, device="cpu"))


def test_a_published_set_has_no_division(tmp_path: Path) -> None:
    run = stopped(IN_MEMORY, tmp_path / "run", "synthetic")
    assert not (run / "division.csv").exists()
    assert json.loads((run / "settings.json").read_text(encoding="utf-8"))["data"] == "synthetic"
    assert "folder" not in json.loads((run / "data.json").read_text(encoding="utf-8"))
