from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import cnnlab.data
from cnnlab.data.published import PublishedSet
from cnnlab.data.sources import PUBLISHED, load, load_published
from cnnlab.errors import DataError, UnknownNameError, UsageError

from .test_published import python_files, tiny, tiny_arrays, write_files

__all__ = ["tiny"]

Photos = Callable[..., Path]


def test_a_published_set_is_divided_by_class(tiny: PublishedSet) -> None:
    parts = load_published(tiny, val_images=20)
    assert parts.test is not None
    assert (len(parts.train), len(parts.val), len(parts.test)) == (80, 20, 20)
    assert torch.bincount(parts.val.labels).tolist() == [2] * 10
    assert parts.train.labels.dtype == torch.int64
    both = torch.cat([parts.train.images, parts.val.images]).numpy()
    assert {x.tobytes() for x in both} == {x.tobytes() for x in tiny_arrays().train_images}


def test_final_is_the_official_training_set(tiny: PublishedSet) -> None:
    parts = load_published(tiny, val_images=20, final=True)
    assert np.array_equal(parts.train.images.numpy(), tiny_arrays().train_images)
    assert len(parts.val) == 0
    assert parts.val.images.shape == (0, 3, 32, 32)


def test_the_fingerprint_follows_the_split(tiny: PublishedSet) -> None:
    sums = [load_published(tiny, val_images=20, seed=seed).sha256 for seed in (0, 0, 1)]
    assert sums[0] == sums[1] != sums[2]


def test_the_door_knows_the_published_sets(tiny: PublishedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "cifar10", replace(tiny, val_images=10, places=()))
    folder = write_files(tmp_path / "mine", python_files())
    parts = cnnlab.data.load("CIFAR10", folder=folder)
    assert (len(parts.train), len(parts.val)) == (90, 10)
    assert parts.source == f"the folder {folder}"
    with pytest.raises(DataError, match="could not be had from any place"):
        load("cifar10")
    assert set(PUBLISHED) == {"cifar10", "mnist", "fashion_mnist"}


def test_names_may_have_dashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "fashion_mnist", replace(PUBLISHED["fashion_mnist"], places=()))
    with pytest.raises(DataError, match="fashion_mnist could not be had"):
        load("fashion-mnist")


def test_synthetic_has_its_own_val_unless_told() -> None:
    assert len(load("synthetic").val) == 500
    parts = load("synthetic", val_images=100)
    assert (len(parts.train), len(parts.val)) == (2400, 100)
    assert len(load("synthetic", final=True).train) == 2500


def test_a_folder_and_a_manifest_in_it(photos: Photos) -> None:
    folder = photos({"cat": 3, "dog": 3})
    assert load(str(folder), pixels=8).train.images.shape[1:] == (3, 8, 8)
    rows = [f"{kind}/{i:03}.png,{kind},train" for kind in ("cat", "dog") for i in range(3)]
    (folder / "m.csv").write_text("path,label,split\n" + "\n".join(rows))
    assert load(folder / "m.csv", pixels=8).test is None


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set 'cifar1O'; did you mean 'cifar10'.*or give a folder"):
        load("cifar1O")


def test_paths_that_are_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, hint in (("a.bin", ""), ("labels.xls", "; save the spreadsheet as CSV"), ("pets.zip", "; unpack it")):
        (tmp_path / name).write_text("x")
        with pytest.raises(DataError, match=f"is a file; give a folder .* name{hint}"):
            load(tmp_path / name)
    (tmp_path / "a.txt").write_text("x.jpg cat")
    with pytest.raises(DataError, match="names none of the 0 images"):
        load(tmp_path / "a.txt")
    with pytest.raises(DataError, match="there is no folder"):
        load(str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="there is no folder cifar10"):
        load(Path("cifar10"))


def test_a_manifest_does_not_go_with_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not with 'cifar10'"):
        load("cifar10", manifest=tmp_path / "m.csv")
