from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data import leaks
from cnnlab.data.leaks import Leak, find_repeats, note_leaks
from cnnlab.data.parts import part_from
from cnnlab.data.sources import load
from cnnlab.types import Split

from .conftest import write_photos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of which one of val is a copy of one of train, and one of train a copy of another."""
    folder = write_photos(tmp_path / "photos", {f"{split}/{kind}": 4 for split in ("train", "val") for kind in "ab"})
    shutil.copy(folder / "train/a/001.JPEG", folder / "val/b/003.JPEG")
    shutil.copy(folder / "train/a/001.JPEG", folder / "train/a/002.JPEG")
    return folder


def test_equal_files_are_found_and_told(folder: Path) -> None:
    parts = load(folder, photos=True)
    found = find_repeats({Split.TRAIN: parts.train, Split.VAL: parts.val})
    [repeat] = found.repeats
    assert repeat.first_split is repeat.second_split
    assert found.leaks == found.two_classes == (Leak(Split.TRAIN, 1, Split.VAL, 7),)
    expected = (
        "1 images lie in two parts, so their results will look too good: train/a/001.JPEG = val/b/003.JPEG",
        "1 images lie in two classes, of which one is wrong: train/a/001.JPEG = val/b/003.JPEG",
    )
    assert parts.notes == expected
    in_memory = load(folder, pixels=16)
    assert in_memory.notes == expected


def test_a_photo_in_two_classes_of_train_is_told_as_such(folder: Path) -> None:
    (folder / "val/b/003.JPEG").unlink()
    shutil.copy(folder / "train/a/000.JPEG", folder / "train/b/x.JPEG")
    assert load(folder, photos=True).notes == (
        "1 images lie in two classes, of which one is wrong: train/a/000.JPEG = train/b/x.JPEG",
    )


def test_without_leaks_nothing_is_said(folder: Path) -> None:
    (folder / "val/b/003.JPEG").unlink()
    assert load(folder, photos=True).notes == ()


def test_only_files_of_equal_size_are_read(folder: Path) -> None:
    (folder / "val/b/000.JPEG").write_bytes(b"short")  # a size that no other file has
    parts = load(folder, photos=True)
    read: list[int] = []

    class Watched:
        def __init__(self, files: object) -> None:
            self.files = files

        def num_bytes(self, index: int) -> int:
            return self.files.num_bytes(index)

        def read(self, index: int) -> bytes:
            read.append(index)
            return self.files.read(index)

    object.__setattr__(parts.val, "files", Watched(parts.val.files))
    assert len(find_repeats({Split.TRAIN: parts.train, Split.VAL: parts.val}).leaks) == 1
    assert 7 in read
    assert 4 not in read


def test_many_photos_are_left_to_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MAX_QUICK_IMAGES", 15)
    assert load(folder, photos=True).notes == (
        "not looked for images that lie in two parts, there being 16: cnnlab data stats DATA does",
    )


def test_more_than_three_are_counted() -> None:
    images = part_from(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.zeros(5, np.int64))
    (note,) = note_leaks(images, images, None)
    assert note.startswith("5 images lie in two parts")
    assert note.endswith("train 2 = val 2; and 2 more")
