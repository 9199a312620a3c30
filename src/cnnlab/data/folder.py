"""A folder of images, a manifest of one, or a folder of tar shards: decoded into memory, or left on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.data.download import Report
from cnnlab.data.imagenet import words_of_classes
from cnnlab.data.layouts import scan
from cnnlab.data.leaks import note_leaks
from cnnlab.data.listing import Entry, Listing, class_names, fill_splits
from cnnlab.data.manifest import scan_manifest, write_manifest
from cnnlab.data.names import Names
from cnnlab.data.parts import Parts, fingerprint, part_from
from cnnlab.data.photos import Files, FolderFiles, Photos, read_ahead
from cnnlab.data.placeholders import without_placeholders
from cnnlab.data.preprocess import resize_and_crop
from cnnlab.data.shards import find_shards, scan_shards
from cnnlab.data.unreadable import refuse_too_many
from cnnlab.errors import DataError, ImageError, UsageError
from cnnlab.types import Preprocess, Split

Indices = npt.NDArray[np.int64]
_SHOWN_CLASSES = 20


def load_folder(
    folder: Path,
    *,
    manifest: Path | None = None,
    pixels: int = 64,
    val_images: int | None = None,
    seed: int = 0,
    final: bool = False,
    max_bad: float = 0.01,
    report: Report | None = None,
) -> Parts:
    """Decode the images of `folder` to uint8 (3, pixels, pixels): shorter side resized, centre cut.

    Images that cannot be read are left out and named in `skipped`. Raises `DataError` when they are
    more than the fraction `max_bad` of all (one is always let pass, unless `max_bad` is 0), when the
    folder has no usable layout, or when the images would not fit in memory.
    """
    return in_memory_parts(
        _find(folder, manifest, val_images, seed, final), str(folder), pixels, max_bad=max_bad, report=report
    )


def in_memory_parts(
    found: Found, name: str, pixels: int, *, max_bad: float = 0.01, report: Report | None = None
) -> Parts:
    """Decode the images found as `load_folder` does; `name` is the data set's."""
    _check_memory(len(found.photos), pixels)
    images, reasons = _decode_all(found.photos, pixels, report)
    skipped = tuple(reason for reason in reasons if reason)
    refuse_too_many(skipped, len(found.photos), max_bad, name)
    good = np.array([reason is None for reason in reasons])
    _check_every_class(found, good)
    readable = (found.photos.take(places[good[places]]) for places in found.places.values())
    kept = (places[good[places]] for places in found.places.values())
    train, val, test = (
        replace(part_from(images[places], photos.labels.numpy()), photos=photos)
        for places, photos in zip(kept, readable, strict=True)
    )
    tested = test if len(test) else None
    notes = (*found.notes, *found.photos.damaged.notes, *note_leaks(train, val, tested))
    digest = fingerprint(train, val, tested)
    return Parts(name, train, val, tested, found.class_names, found.source, digest, skipped, notes)


def open_folder(
    folder: Path, *, manifest: Path | None = None, val_images: int | None = None, seed: int = 0, final: bool = False
) -> Parts:
    """List the images of `folder` as `Photos`, which stay on disk, each of its own size; none is opened.

    Raises `DataError` when the folder has no usable layout, or a shard is cut short.
    """
    return on_disk_parts(_find(folder, manifest, val_images, seed, final), str(folder))


def open_whole(folder: Path, *, manifest: Path | None = None) -> Parts:
    """List the images of `folder` as `Photos` without dividing them: all of them are the test part.

    Where the folder or the manifest names parts by itself, these stay. `class_names` are all that are found; none has
    to be in train.

    Raises `DataError` when the folder has no usable layout, or a shard is cut short.
    """
    listing, files = list_images(folder, manifest)
    rest = Split.TRAIN if any(entry.split for entry in listing.entries) else Split.TEST
    entries = tuple(entry if entry.split else replace(entry, split=rest) for entry in listing.entries)
    classes = listing.classes or tuple(sorted({entry.label for entry in entries}))
    source = f"the manifest {manifest}" if manifest else f"the folder {folder}"
    shown = words_of_classes(folder, classes)
    return on_disk_parts(Found(*_labelled(entries, files, classes), shown, listing.notes, source), str(folder))


def on_disk_parts(found: Found, name: str) -> Parts:
    """Leave the images found on disk, as `open_folder` does; `name` is the data set's."""
    train, val, test = (found.photos.take(found.places[split]) for split in Split)
    tested = test if len(test) else None
    notes = (*found.notes, *note_leaks(train, val, tested))
    digest = fingerprint(train, val, tested)
    return Parts(name, train, val, tested, found.class_names, found.source, digest, notes=notes)


@dataclass(frozen=True)
class Found:
    """All images of a data folder, where in them each split's lie, and how their classes are shown."""

    photos: Photos
    places: dict[Split, Indices]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    source: str


def _find(folder: Path, manifest: Path | None, val_images: int | None, seed: int, final: bool) -> Found:
    listing, files = list_images(folder, manifest)
    entries = fill_splits(listing.entries, val_images=val_images, seed=seed)
    classes = listing.classes or class_names(entries)
    photos, places = _labelled(entries, files, classes)
    labels = photos.labels.numpy()
    if final:
        every = np.concatenate([places[Split.TRAIN], places[Split.VAL]])
        places = {**places, Split.TRAIN: every, Split.VAL: every[:0]}
    shown = words_of_classes(folder, classes)
    unseen = (_unseen_classes(labels[places[split]], split, shown) for split in Split)
    notes = (*listing.notes, *(note for each in unseen for note in each))
    source = f"the manifest {manifest}" if manifest else f"the folder {folder}"
    return Found(photos, places, shown, notes, source)


def _labelled(entries: Sequence[Entry], files: Files, classes: Sequence[str]) -> tuple[Photos, dict[Split, Indices]]:
    """All images with the numbers of their classes, and where in them each split's lie."""
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.fromiter((numbers[entry.label] for entry in entries), np.int64, len(entries))
    names = files.paths if isinstance(files, FolderFiles) else Names(entry.path for entry in entries)
    splits = np.array([str(entry.split) for entry in entries])
    photos = Photos(torch.from_numpy(labels), names, files)
    return photos, {split: np.flatnonzero(splits == split.value) for split in Split}


def list_images(folder: Path, manifest: Path | None) -> tuple[Listing, Files]:
    """List a folder's images with where their bytes lie: a manifest says which, else shards, else folders."""
    if manifest is None and find_shards(folder):
        return scan_shards(folder)
    listing = scan_manifest(manifest, folder) if manifest else without_placeholders(folder, scan(folder))
    return listing, FolderFiles(folder, Names(entry.path for entry in listing.entries))


def split_folder(
    folder: Path,
    manifest: Path,
    *,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    say: Callable[[str], object] | None = None,
) -> dict[str, int]:
    """Divide the images of `folder` by class and seed, and write the CSV file `manifest` that says so.

    `val` and `test` are fractions of what is divided; splits that the folder has by itself stay. No image is decoded.
    `say` is told what is left out. Returns the number of images in each split.

    Raises `UsageError` for fractions that leave nothing to train on, `DataError` as `load_folder` does.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise UsageError(f"val {val:g} and test {test:g}; give fractions from 0 whose sum is below 1")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; check the path")
    of_rest = val / (1 - test)  # val is taken after test is gone
    found = without_placeholders(folder, scan(folder, ignore=manifest))
    entries = fill_splits(found.entries, val_fraction=of_rest, test_fraction=test, seed=seed)
    if say:
        for note in found.notes:
            say(note)
    class_names(entries)
    write_manifest(manifest, entries)
    return {split.value: sum(entry.split is split for entry in entries) for split in Split}


def available_bytes() -> int | None:
    """Say how much memory can be had without swapping, in bytes; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return None


def _check_memory(count: int, pixels: int) -> None:
    need = 2 * count * 3 * pixels**2  # twice: all images, and their copy into parts
    have = available_bytes()
    if have is not None and need > have:
        raise DataError(
            f"{count} images of {pixels} x {pixels} pixels need {need / 1e9:.1f} GB of memory, "
            f"{have / 1e9:.1f} GB are free; use a smaller size or fewer images"
        )


def _decode_all(photos: Photos, pixels: int, report: Report | None) -> tuple[npt.NDArray[np.uint8], list[str | None]]:
    """Give all images (N, 3, pixels, pixels), and for each why it failed (None: it did not)."""
    square = Preprocess(resize_pixels=pixels, crop_pixels=pixels, mean=(0.0,) * 3, std=(1.0,) * 3)
    images = np.empty((len(photos), 3, pixels, pixels), np.uint8)
    reasons: list[str | None] = []
    small = read_ahead(lambda index: resize_and_crop(photos.read(index), square), range(len(photos)))
    for index, image in enumerate(small):
        if isinstance(image, ImageError):
            reasons.append(str(image))
        else:
            images[index] = image.transpose(2, 0, 1)
            reasons.append(None)
        if report:
            report(index + 1, len(photos))
    return images, reasons


def _check_every_class(found: Found, good: npt.NDArray[np.bool_]) -> None:
    train = found.places[Split.TRAIN]
    labels = found.photos.labels.numpy()
    lost = sorted(set(labels[train].tolist()) - set(labels[train[good[train]]].tolist()))
    if lost:
        names = ", ".join(found.class_names[label] for label in lost)
        raise DataError(f"classes without a single readable image in train: {names}; add some")


def _unseen_classes(labels: Indices, split: Split, names: Sequence[str]) -> tuple[str, ...]:
    seen = set(labels.tolist())
    unseen = [name for number, name in enumerate(names) if number not in seen]
    more = f" and {len(unseen) - _SHOWN_CLASSES} more" if len(unseen) > _SHOWN_CLASSES else ""
    shown = ", ".join(unseen[:_SHOWN_CLASSES])
    return (f"{split} has no images of: {shown}{more}",) if seen and unseen else ()
