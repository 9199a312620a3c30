"""One door to every data set: a published one by its name, the synthetic one, or a folder of images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cnnlab.data.cifar10 import CIFAR10
from cnnlab.data.download import Report
from cnnlab.data.folder import load_folder, open_folder
from cnnlab.data.idx import FASHION_MNIST, MNIST
from cnnlab.data.no_images import ARCHIVES
from cnnlab.data.parts import Parts, divide, fingerprint, finish, in_memory, join, part_from
from cnnlab.data.published import PublishedSet, acquire
from cnnlab.data.synthetic import synthetic
from cnnlab.data.tables import ENDINGS, SPREADSHEETS
from cnnlab.errors import DataError, UnknownNameError, UsageError, unknown_name

PUBLISHED = {known.name: known for known in (CIFAR10, MNIST, FASHION_MNIST)}
"""The published sets, by name."""

NAMES = (*PUBLISHED, "synthetic")
"""Every name that `load` knows."""


def load(
    data: str | Path,
    *,
    folder: Path | None = None,
    val_images: int | None = None,
    seed: int = 0,
    final: bool = False,
    pixels: int = 64,
    manifest: Path | None = None,
    max_bad: float = 0.01,
    photos: bool = False,
    report: Report | None = None,
) -> Parts:
    """Load a data set into memory, divided into train, val and test; images uint8 (N, C, H, W).

    `data` is one of `NAMES`, a folder of images (ImageNet's too) or of tar shards, or a manifest or another list
    (.csv, .tsv, .txt) that lies in its data folder. For a folder that is called like a data set, write `./cifar10` or
    give a `Path`. With `photos`, the images of a folder stay on disk, each of its own size.

    `folder` says where the user's own copy of a published set lies. `val_images` are held out of the
    training images by class and `seed` (default: 5,000, or a tenth of a folder); `seed` is 0 unless
    the split itself is to change. `final` puts all but the test part into train. `pixels`, `manifest`
    and `max_bad` are for folders (see `folder.load_folder`); `report` is told of progress.

    Raises `UsageError` for a name that is neither, `DataError` for data that cannot be used.
    """
    if isinstance(data, str) and is_name(data):
        name = _plain(data)
        if manifest is not None:
            raise UsageError(f"a manifest goes with a folder of images, not with {name!r}")
        if name in PUBLISHED:
            return load_published(PUBLISHED[name], folder, val_images, seed, final, report)
        return _load_synthetic(val_images, seed, final)
    path, manifest = locate(data, manifest)
    if photos:
        return open_folder(path, manifest=manifest, val_images=val_images, seed=seed, final=final)
    return load_folder(
        path,
        manifest=manifest,
        pixels=pixels,
        val_images=val_images,
        seed=seed,
        final=final,
        max_bad=max_bad,
        report=report,
    )


def is_name(data: str) -> bool:
    """Whether `data` is one of `NAMES`, however it is written, and not a folder."""
    return _plain(data) in NAMES


def _plain(data: str) -> str:
    return data.lower().replace("-", "_")


def locate(data: str | Path, manifest: Path | None = None) -> tuple[Path, Path | None]:
    """The data folder that is meant by `data`, and the manifest in it, if that is what `data` is.

    Raises:
        DataError: there is no such folder.
        UnknownNameError: nor could it be one; the message offers the nearest names of data sets.
    """
    path = Path(data).expanduser()
    if path.suffix.lower() in ENDINGS and path.is_file() and manifest is None:
        path, manifest = path.parent, path
    if not path.is_dir():
        raise _not_found(data, path)
    return path, manifest


def load_published(
    known: PublishedSet,
    folder: Path | None = None,
    val_images: int | None = None,
    seed: int = 0,
    final: bool = False,
    report: Report | None = None,
) -> Parts:
    """Load one published set; arguments as for `load`."""
    got = acquire(known, folder, report)
    whole = part_from(got.arrays.train_images, got.arrays.train_labels)
    test = part_from(got.arrays.test_images, got.arrays.test_labels)
    held = known.val_images if val_images is None else val_images
    train, val = divide(whole, 0 if final else held, seed)
    digest = fingerprint(train, val, test)
    return Parts(known.name, train, val, test, known.class_names, got.source, digest, notes=got.notes)


def _load_synthetic(val_images: int | None, seed: int, final: bool) -> Parts:
    parts = synthetic(seed=seed)
    train, val = in_memory(parts.train), in_memory(parts.val)
    if val_images is not None:
        train, val = divide(join(train, val), val_images, seed)
    train, val = finish(train, val, final)
    return replace(parts, train=train, val=val, sha256=fingerprint(train, val, parts.test))


def _hint(path: Path) -> str:
    """What to do with a file of a kind that is not read."""
    ending = path.suffix.lower()
    if ending in SPREADSHEETS:
        return "; save the spreadsheet as CSV, with the columns filename,label"
    return f"; unpack it, and give the folder: cnnlab train {path.stem}" if ending in ARCHIVES else ""


def _not_found(data: str | Path, path: Path) -> DataError | UnknownNameError:
    if path.exists():
        return DataError(
            f"{path} is a file; give a folder of images, a list of them ({', '.join(ENDINGS)}), or a data set's name"
            f"{_hint(path)}"
        )
    if isinstance(data, Path) or os.sep in data:
        return DataError(f"there is no folder {path}; check the path")
    error = unknown_name("data set", data, NAMES)
    return UnknownNameError(f"{error}; or give a folder of images: train/<class>/*.jpg")
