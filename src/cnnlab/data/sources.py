"""One door to every data set: a published one by its name, the synthetic one, or a folder of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnnlab.data.download import Report
from cnnlab.data.folder import load_folder, open_folder
from cnnlab.data.named import PUBLISHED, is_name, locate, plain_name
from cnnlab.data.parts import Parts, divide, fingerprint, finish, in_memory, join, part_from
from cnnlab.data.published import PublishedSet, acquire
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import UsageError


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

    `data` is one of `named.NAMES`, a folder of images (ImageNet's too) or of tar shards, or a manifest or another list
    (.csv, .tsv, .txt) that lies in its data folder. For a folder that is called like a data set, write `./cifar10` or
    give a `Path`. With `photos`, the images of a folder stay on disk, each of its own size.

    `folder` says where the user's own copy of a published set lies. `val_images` are held out of the
    training images by class and `seed` (default: 5,000, or a tenth of a folder); `seed` is 0 unless
    the split itself is to change. `final` puts all but the test part into train. `pixels`, `manifest`
    and `max_bad` are for folders (see `folder.load_folder`); `report` is told of progress.

    Raises `UsageError` for a name that is neither, `DataError` for data that cannot be used.
    """
    if isinstance(data, str) and is_name(data):
        name = plain_name(data)
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
