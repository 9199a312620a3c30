from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from cnnlab.data.parts import Part, Parts, part_from
from cnnlab.data.sources import load
from cnnlab.data.stats import Leak, colour_pca, measure_colours, stats
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import write_photos


def part(values: list[int], labels: list[int]) -> Part:
    images = np.array(values, np.uint8).reshape(-1, 1, 1, 1).repeat(4, 2).repeat(4, 3)
    return part_from(np.ascontiguousarray(images), np.array(labels))


def test_counts_sizes_mean_and_repeats() -> None:
    train = part([0, 255, 0, 7], [0, 1, 0, 0])
    parts = Parts("x", train, part([7, 8], [1, 1]), part([255, 8], [0, 2]), ("a", "b", "c"), "made", "0")
    found = stats(parts)
    assert found.counts == {Split.TRAIN: (3, 1, 0), Split.VAL: (0, 2, 0), Split.TEST: (1, 0, 1)}
    assert found.image_shape == (1, 4, 4)
    assert found.mean == pytest.approx([262 / 4 / 255])
    assert found.num_bytes == 8 * 16
    assert found.num_repeats == 1
    assert found.num_leaks == 3
    assert found.num_two_classes == 3
    assert found.leaks[0] == Leak(Split.TRAIN, 3, Split.VAL, 0)
    assert found.leaks[2] == Leak(Split.VAL, 1, Split.TEST, 1)


def test_a_set_without_val_and_test() -> None:
    empty = part_from(np.zeros((0, 1, 4, 4), np.uint8), np.zeros(0, np.int64))
    found = stats(Parts("x", part([1, 2], [0, 1]), empty, None, ("a", "b"), "made", "0"))
    assert found.counts == {Split.TRAIN: (1, 1), Split.VAL: (0, 0)}
    assert found.leaks == ()


def test_photos_are_measured_as_they_lie_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_photos(tmp_path / "photos", {"train/a": 6, "train/b": 5, "val/a": 1, "val/b": 1})
    (folder / "train/a/002.JPEG").write_bytes(b"")
    parts = load(folder, photos=True)
    found = stats(parts)
    pixels = np.concatenate([parts.train.read(i).reshape(-1, 3) for i in range(11) if i != 2]) / 255
    assert found.counts == {Split.TRAIN: (6, 5), Split.VAL: (1, 1)}
    assert found.image_shape == (3, 0, 0)
    assert found.mean == pytest.approx(pixels.mean(0))
    assert found.std == pytest.approx(pixels.std(0))
    assert found.num_measured == 10
    assert found.num_bytes == sum(path.stat().st_size for path in folder.rglob("*.JPEG"))
    assert measure_colours(parts.train).num_unreadable == 1
    monkeypatch.setattr("cnnlab.data.stats.SAMPLE_PHOTOS", 3)
    assert measure_colours(parts.train).num_images + measure_colours(parts.train).num_unreadable == 3


def test_colour_axes_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    mixed = random.normal(size=(20 * 64, 3)) @ random.normal(size=(3, 3)) * 12 + 128
    images = np.clip(mixed, 0, 255).astype(np.uint8).reshape(20, 8, 8, 3).transpose(0, 3, 1, 2)
    part = part_from(np.ascontiguousarray(images), np.zeros(20, np.int64))
    values, axes = colour_pca(part)
    oracle = PCA().fit(images.transpose(0, 2, 3, 1).reshape(-1, 3) / 255)
    assert values.tolist() == pytest.approx(oracle.explained_variance_ * (1280 - 1) / 1280, rel=1e-4)
    assert np.abs((axes.numpy() * oracle.components_.T).sum(0)) == pytest.approx(np.ones(3), abs=1e-4)
    assert all(axis[axis.abs().argmax()] > 0 for axis in axes.T)


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", {"train/a": 1, "train/b": 1, "val/a": 1})
    for name in "ab":
        (folder / "train" / name / "000.JPEG").write_bytes(b"")
    with pytest.raises(DataError, match="no images to measure the colours of, among 2"):
        measure_colours(load(folder, photos=True).train)
