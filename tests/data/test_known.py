from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.data import division as divisions
from cnnlab.data import known
from cnnlab.data.division import Division, division_of
from cnnlab.data.known import Known
from cnnlab.data.names import Names
from cnnlab.data.photos import FolderFiles
from cnnlab.data.photos import Photos as PhotosOnDisk
from cnnlab.data.sources import load
from cnnlab.types import Split

from .conftest import noise, png

Photos = Callable[..., Path]


@pytest.fixture
def folder(photos: Photos) -> Path:
    return photos({"train/cat": 3, "train/dog": 3, "val/cat": 1, "test/cat": 1})


def made(folder: Path) -> Division:
    found = division_of(load(folder, photos=True))
    assert found is not None
    return found


def seen(division: Division, folder: Path) -> dict[str, Split | None]:
    import torch

    names = Names(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")))
    found = PhotosOnDisk(torch.zeros(len(names), dtype=torch.int64), names, FolderFiles(folder, names))
    return dict(zip(names, Known(division).splits(found), strict=True))


def test_by_content_whatever_they_are_called(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for new, old in {"1": "train/dog/002", "2": "val/cat/000", "3": "test/cat/000"}.items():
        shutil.copy(folder / f"{old}.png", other / f"{new}.png")
    (other / "4.png").write_bytes(png(noise(20, 30, 77)))
    expected = {"1.png": Split.TRAIN, "2.png": Split.VAL, "3.png": Split.TEST, "4.png": None}
    assert seen(made(folder), other) == expected


def test_an_image_of_two_parts_counts_for_the_first(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "train/cat/000.png", folder / "test/cat/twice.png")
    (tmp_path / "other").mkdir()
    shutil.copy(folder / "test/cat/twice.png", tmp_path / "other/x.png")
    assert seen(made(folder), tmp_path / "other") == {"x.png": Split.TRAIN}


def test_of_large_sets_by_name_and_size_and_then_by_the_files_themselves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divisions, "MAX_QUICK_IMAGES", 0)
    division = made(folder)
    assert division.digests is None
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "train/dog/002.png", other / "002.png")
    (other / "001.png").write_bytes(png(noise(20, 30, 77)))  # of a name and a size that the run knows
    assert len((other / "001.png").read_bytes()) in division.sizes.tolist()
    assert seen(division, other) == {"001.png": None, "002.png": Split.TRAIN}
    monkeypatch.setattr(known, "_MOST_NAMESAKES", 1)  # both cat and dog have a 002.png
    assert seen(division, other)["002.png"] is None
    monkeypatch.undo()
    folder.rename(folder.with_name("gone"))
    assert set(seen(division, other).values()) == {Split.TRAIN}
