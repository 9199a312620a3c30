from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cnnlab.data import sources
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import DataError
from cnnlab.explain.sample import sample
from cnnlab.types import Preprocess

PREPROCESS = Preprocess(16, 16, (0.5,) * 3, (0.2,) * 3)


def test_a_part_in_memory_is_drawn_from_by_the_seed() -> None:
    part = synthetic(50, 0, 0, pixels=8).train
    found = sample(part, 20, PREPROCESS, seed=1)
    assert len(found) == 20
    assert torch.equal(found.images, sample(part, 20, PREPROCESS, seed=1).images)
    assert not torch.equal(found.images, sample(part, 20, PREPROCESS, seed=2).images)
    rows = {image.numpy().tobytes(): int(label) for image, label in zip(part.images, part.labels, strict=True)}
    assert all(
        rows[image.numpy().tobytes()] == int(label) for image, label in zip(found.images, found.labels, strict=True)
    )
    assert len(sample(part, 500, PREPROCESS)) == 50


def test_photos_are_brought_to_size_and_broken_ones_left_out(shapes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shapes, tmp_path / "photos"))
    part = sources.load(folder, photos=True).train
    found = sample(part, 1000, PREPROCESS)
    assert found.images.shape == (len(part), 3, 16, 16)
    for path in (folder / "disc").iterdir():
        path.write_bytes(b"no image")
    fewer = sample(part, 1000, PREPROCESS)
    assert 0 < len(fewer) < len(found)
    assert 1 not in fewer.labels.tolist()


def test_no_readable_photo_is_bad_data(shapes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shapes, tmp_path / "photos"))
    part = sources.load(folder, photos=True).train
    for path in folder.rglob("*.jpg"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="none of"):
        sample(part, 10, PREPROCESS)
