from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

import cnnlab.data
from cnnlab.data.parts import (
    Part,
    divide,
    file_of,
    fingerprint,
    finish,
    in_memory,
    join,
    name_of,
    part_from,
    take,
)
from cnnlab.data.sources import load
from cnnlab.errors import UsageError

from .conftest import write_photos


def small(count: int) -> Part:
    return part_from(np.arange(count * 3, dtype=np.uint8).reshape(count, 3, 1, 1), np.arange(count) % 2)


def test_a_part_knows_its_length_and_types() -> None:
    part = small(4)
    assert len(part) == 4
    assert part.images.dtype == torch.uint8
    assert part.labels.dtype == torch.int64


def test_read_only_arrays_are_copied() -> None:
    images = np.frombuffer(bytes(12), np.uint8).reshape(1, 3, 2, 2)
    part_from(images, np.zeros(1, np.uint8)).images.fill_(1)
    assert images.sum() == 0


def test_divide_join_and_finish() -> None:
    kept, held = divide(small(20), 4, seed=0)
    assert (len(kept), len(held)) == (16, 4)
    assert len(join(kept, held)) == 20
    assert join(kept, divide(kept, 0, 0)[1]) is kept
    train, val = finish(kept, held, final=True)
    assert (len(train), len(val)) == (20, 0)
    assert finish(kept, held, final=False) == (kept, held)


def test_the_fingerprint_is_of_the_bytes_in_order() -> None:
    train, val = small(3), small(2)
    data = b"".join(x.numpy().tobytes() for p in (train, val) for x in (p.images, p.labels))
    assert fingerprint(train, val, None) == hashlib.sha256(data).hexdigest()
    assert fingerprint(train, val, val) != fingerprint(train, val, None)


def test_photos_have_the_fingerprint_of_their_names_and_are_not_in_memory(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", {"train/a": 2, "train/b": 2, "val/a": 1})
    first = load(folder, photos=True)
    assert first.sha256 == load(folder, photos=True).sha256
    with pytest.raises(UsageError, match="4 photos on disk, where images in memory are needed"):
        in_memory(first.train)
    part = small(2)
    assert in_memory(part) is part
    (folder / "train/a/001.JPEG").rename(folder / "train/a/other.JPEG")
    assert load(folder, photos=True).sha256 != first.sha256


def test_the_package_shows_its_three_names() -> None:
    assert cnnlab.data.Part is Part
    assert cnnlab.data.Parts.__name__ == "Parts"
    with pytest.raises(AttributeError, match="no attribute 'Pats'"):
        cnnlab.data.Pats  # type: ignore[attr-defined]  # noqa: B018


def test_an_image_is_called_by_its_file_where_it_has_one(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", {"train/a": 2, "train/b": 2, "val/a": 1})
    on_disk, decoded = load(folder, photos=True).train, load(folder, pixels=8).train
    assert [name_of(part, 3) for part in (on_disk, decoded, small(4))] == ["train/b/001.JPEG"] * 2 + ["image 3"]
    assert [file_of(part, 3) for part in (on_disk, decoded, small(4))] == [folder / "train/b/001.JPEG"] * 2 + [None]
    some = take(in_memory(decoded), np.array([3, 0]))
    assert [name_of(some, index) for index in (0, 1)] == ["train/b/001.JPEG", "train/a/000.JPEG"]
