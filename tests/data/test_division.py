from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data import division as divisions
from cnnlab.data.division import (
    DATA,
    DIVISION,
    Division,
    about,
    as_csv,
    division_of,
    is_copy,
    read_division,
)
from cnnlab.data.parts import photos_of
from cnnlab.data.photos import FolderFiles
from cnnlab.data.sources import load
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import DataError

Photos = Callable[..., Path]


def written(run: Path, division: Division) -> Path:
    run.mkdir(exist_ok=True)
    (run / DIVISION).write_bytes(as_csv(division))
    told = {"class_names": list(division.class_names), **about(division)}
    (run / DATA).write_text(json.dumps(told), encoding="utf-8")
    return run


def made(folder: Path, **options: object) -> Division:
    found = division_of(load(folder, **options))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("photos_on_disk", [False, True])
def test_it_says_which_image_is_for_what_with_size_and_content(
    photos_on_disk: bool, photos: Photos, tmp_path: Path
) -> None:
    folder = photos({"cat": 20, "dog": 20})
    parts = load(folder, photos=photos_on_disk, pixels=8)
    division = division_of(parts)
    assert division is not None
    rows = list(csv.DictReader(as_csv(division).decode().splitlines()))
    given = [photos_of(part) for part in (parts.train, parts.val, parts.test)]
    assert [row["path"] for row in rows] == [name for each in given if each for name in each.names]
    assert [row["split"] for row in rows] == ["train"] * 32 + ["val"] * 4 + ["test"] * 4
    for row in rows:
        data = (folder / row["path"]).read_bytes()
        assert row["label"] == row["path"].partition("/")[0]
        assert (int(row["bytes"]), row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_what_is_read_is_what_was_written(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"train/Ä, ö": 3, 'train/"q"': 2, "val/Ä, ö": 1, "test/Ä, ö": 1})
    (folder / "train/Ä, ö/000.png").rename(folder / "train/Ä, ö/new\nline\udcff.png")
    division = made(folder, photos=True)
    found = read_division(written(tmp_path / "run", division))
    assert found is not None
    assert list(found.paths) == list(division.paths)
    assert "train/Ä, ö/new\nline\udcff.png" in list(found.paths)
    for name in ("labels", "splits", "sizes"):
        assert np.array_equal(getattr(found, name), getattr(division, name))
    assert (found.digests, found.folder, found.class_names) == (division.digests, folder, division.class_names)
    assert (found.manifest, found.shards) == (None, False)


def test_it_is_a_manifest_too(photos: Photos, tmp_path: Path) -> None:
    folder = photos({"cat": 20, "dog": 20})
    parts = load(folder, photos=True)
    run = written(tmp_path / "run", made(folder, photos=True))
    assert load(folder, photos=True, manifest=run / DIVISION).sha256 == parts.sha256


def test_a_published_set_and_a_folder_without_a_run_have_none(tmp_path: Path) -> None:
    assert division_of(synthetic(train_images=10, val_images=10, test_images=10)) is None
    assert read_division(tmp_path) is None


def test_of_many_images_the_size_counts(photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos({"cat": 20, "dog": 20})
    monkeypatch.setattr(divisions, "MAX_QUICK_IMAGES", 39)
    found = read_division(written(tmp_path / "run", made(folder, photos=True)))
    assert found is not None
    assert found.digests is None
    assert found.sizes.min() > 0
    monkeypatch.setattr(divisions, "MAX_QUICK_IMAGES", 40)
    monkeypatch.setattr(divisions, "MAX_HASHED_BYTES", 1000)
    assert made(folder, photos=True).digests is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(",val,", ",vla,", 1), "'vla'"),
        (lambda text: text.replace("cat/0", "../0", 1), "not inside the data folder"),
        (lambda text: text.replace("cat/0", "/cat/0", 1), "not inside the data folder"),
        (lambda text: text.replace(",cat,", ",cow,", 1), "'cow'"),
        (lambda text: text[text.index("\n") + 1 :], "its columns are not path, label, split, bytes, sha256"),
        (lambda text: text + "cat/1.png,cat\n", "values to unpack"),
    ],
)
def test_a_damaged_one_is_named_and_refused(
    change: Callable[[str], str], reason: str, photos: Photos, tmp_path: Path
) -> None:
    run = written(tmp_path / "run", made(photos({"cat": 20, "dog": 20}), photos=True))
    text = (run / DIVISION).read_text(encoding="utf-8")
    (run / DIVISION).write_text(change(text), encoding="utf-8")
    with pytest.raises(DataError, match=r"division\.csv does not say which images") as caught:
        read_division(run)
    assert reason in str(caught.value)


def test_a_copy_has_the_same_sizes_and_contents(photos: Photos) -> None:
    division = made(photos({"cat": 20, "dog": 20}), photos=True)
    assert is_copy(division, FolderFiles(division.folder, division.paths))
    last = division.folder / division.paths[39]
    data = last.read_bytes()
    last.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # of the same size
    assert not is_copy(division, FolderFiles(division.folder, division.paths))
    last.write_bytes(data + b"1")
    assert not is_copy(division, FolderFiles(division.folder, division.paths))
