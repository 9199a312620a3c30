from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab.data import placeholders
from cnnlab.data.folder import load_folder, split_folder
from cnnlab.data.layouts import scan
from cnnlab.data.placeholders import without_placeholders

Photos = Callable[..., Path]


def copied(folder: Path, source: str, *places: str) -> Path:
    for place in places:
        shutil.copyfile(folder / source, folder / place)
    return folder


def test_a_picture_in_place_of_gone_photos_is_left_out_and_named(photos: Photos) -> None:
    folder = copied(photos({"cat": 5, "dog": 5}), "cat/000.png", "cat/gone.png", "dog/a.png", "dog/b.png")
    listing = without_placeholders(folder, scan(folder))
    assert [entry.path for entry in listing.entries] == [
        *(f"cat/{number:03}.png" for number in range(1, 5)),
        *(f"dog/{number:03}.png" for number in range(5)),
    ]
    assert listing.notes == (
        "4 copies of one picture are left out, being in 2 classes, as a site gives in place of a photo that is gone: "
        "cat/000.png, cat/gone.png, dog/a.png and 1 more",
    )


def test_training_and_the_manifest_are_without_them(photos: Photos, tmp_path: Path) -> None:
    folder = copied(photos({"cat": 9, "dog": 9}), "cat/000.png", "cat/a.png", "dog/a.png", "dog/b.png")
    parts = load_folder(folder, pixels=8)
    assert sum(len(part) for part in (parts.train, parts.val, parts.test) if part is not None) == 17
    assert any(note.startswith("4 copies of one picture are left out") for note in parts.notes)
    assert sum(split_folder(folder, tmp_path / "m.csv").values()) == 17


def test_few_copies_or_copies_in_one_class_stay(photos: Photos) -> None:
    folder = copied(photos({"cat": 5, "dog": 5}), "cat/000.png", "dog/a.png", "dog/b.png")
    copied(folder, "cat/001.png", "cat/a.png", "cat/b.png", "cat/c.png")
    assert without_placeholders(folder, scan(folder)) == scan(folder)


def test_many_copies_in_one_class_are_worth_a_word(photos: Photos) -> None:
    folder = copied(photos({"cat": 2, "dog": 2}), "cat/000.png", *(f"cat/c{number}.png" for number in range(9)))
    listing = without_placeholders(folder, scan(folder))
    assert len(listing.entries) == 13
    assert listing.notes == (
        "10 images of class 'cat' are one and the same picture: cat/000.png, cat/c0.png, cat/c1.png and 7 more",
    )


def test_a_class_that_would_be_empty_keeps_them(photos: Photos) -> None:
    folder = copied(photos({"cat": 5, "dog": 0}), "cat/000.png", "dog/a.png", "dog/b.png", "dog/c.png")
    assert without_placeholders(folder, scan(folder)) == scan(folder)


def test_large_sets_and_large_files_are_not_looked_through(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied(photos({"cat": 5, "dog": 5}), "cat/000.png", "dog/a.png", "dog/b.png", "dog/c.png")
    for name in ("MOST_ENTRIES", "MOST_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(placeholders, name, 5)
            assert without_placeholders(folder, scan(folder)) == scan(folder)
