from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data import pack as packing
from cnnlab.data.decode import decode
from cnnlab.data.pack import estimate, pack
from cnnlab.data.parts import Parts
from cnnlab.data.preprocess import resize_shorter
from cnnlab.data.sources import load
from cnnlab.errors import DataError, UsageError
from cnnlab.types import Interpolation

from .conftest import jpeg, photo, write_photos


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    counts = {"train/b": 7, "train/a": 6, "val/a": 2, "val/b": 2, "test/b": 3}
    folder = write_photos(tmp_path / "photos", counts, size=(60, 90))
    (folder / "train/a/000.JPEG").write_bytes(jpeg(photo(20, 30)))
    return load(folder, photos=True)


def test_packed_photos_are_the_same_set_resized(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IMAGES_PER_SHARD", 5)
    expected = estimate(parts, 32)
    packed = pack(parts, tmp_path / "packed", pixels=32)
    assert (packed.num_images, packed.num_shards, packed.skipped) == (20, 5, ())
    assert packed.num_bytes == sum(path.stat().st_size for path in (tmp_path / "packed").glob("*.tar"))
    assert expected == pytest.approx(20 * 3300, rel=0.3)
    again = load(tmp_path / "packed", photos=True)
    assert again.class_names == parts.class_names
    for before, after in ((parts.train, again.train), (parts.val, again.val), (parts.test, again.test)):
        found = sorted((after.read(i).shape, int(after.labels[i])) for i in range(len(after)))
        wanted = [(decode(jpeg(small(before.read(i)))).shape, int(before.labels[i])) for i in range(len(before))]
        assert found == sorted(wanted)
    known = {decode(jpeg(small(parts.val.read(i)))).tobytes() for i in range(4)}
    assert {again.val.read(i).tobytes() for i in range(4)} == known


def small(image: np.ndarray) -> np.ndarray:
    return resize_shorter(image, 32, Interpolation.BILINEAR) if min(image.shape[:2]) > 32 else image


def test_classes_called_by_numbers_keep_their_images(tmp_path: Path) -> None:
    # Sorted as text, 1, 10, 11, 12, 2, …: the number of a class is the name of another.
    counts = {f"train/{name}": name for name in range(1, 13)} | {f"val/{name}": 1 for name in range(1, 13)}
    before = load(write_photos(tmp_path / "photos", counts, size=(8, 8)), photos=True)
    pack(before, tmp_path / "packed", pixels=8)
    after = load(tmp_path / "packed", photos=True)
    assert after.class_names == before.class_names == tuple(sorted(map(str, range(1, 13))))
    images = torch.bincount(after.train.labels, minlength=12).tolist()
    assert dict(zip(after.class_names, images, strict=True)) == {str(name): name for name in range(1, 13)}


def test_bad_photos_are_named_and_too_many_stop(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "photos/train/b/003.JPEG").write_bytes(b"")
    packed = pack(parts, tmp_path / "packed", pixels=32)
    assert packed.num_images == 19
    assert packed.skipped[0].startswith("train/b/003.JPEG: ")
    with pytest.raises(DataError, match="1 of 20 images cannot be read, accepted: 0"):
        pack(parts, tmp_path / "other", pixels=32, max_bad=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed", "photos"]


def test_what_cannot_be_packed_is_refused(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="photos exists already"):
        pack(parts, tmp_path / "photos")
    with pytest.raises(UsageError, match="quality 100; accepted"):
        pack(parts, tmp_path / "packed", quality=100)
    with pytest.raises(UsageError, match="synthetic lies in memory"):
        pack(load("synthetic"), tmp_path / "packed")
    monkeypatch.setattr(packing, "estimate", lambda *_: 10**18)
    with pytest.raises(DataError, match=r"needs about 1,000,000,000,000 MB, .* free"):
        pack(parts, tmp_path / "packed")
