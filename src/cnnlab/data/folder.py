"""A folder of images, or a manifest of one, decoded into memory at one size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnlab.data.decode import DEFAULT_LIMITS, decode_file, printable
from cnnlab.data.download import Report
from cnnlab.data.listing import Entry, Listing, class_names, fill_splits, scan
from cnnlab.data.manifest import read_manifest, write_manifest
from cnnlab.data.parts import Part, Parts, fingerprint, finish, part_from
from cnnlab.data.preprocess import resize_and_crop
from cnnlab.errors import DataError, ImageError, UsageError
from cnnlab.types import Preprocess, Split

_SLICE_IMAGES = 1000


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
    listing = Listing(read_manifest(manifest)) if manifest else scan(folder)
    entries = fill_splits(listing.entries, val_images=val_images, seed=seed)
    names = class_names(entries)
    _check_memory(len(entries), pixels)
    images, reasons = _decode_all(folder, entries, pixels, report)
    skipped = tuple(reason for reason in reasons if reason)
    _check_bad(folder, skipped, len(entries), max_bad)
    good = np.array([reason is None for reason in reasons])
    _check_every_class(entries, good, names)
    train, val, test = (_select(images, entries, good, names, split) for split in Split)
    notes = (*listing.notes, *_unseen_classes(val, "val", names), *_unseen_classes(test, "test", names))
    train, val = finish(train, val, final)
    tested = test if len(test) else None
    source = f"the manifest {manifest}" if manifest else f"the folder {folder}"
    digest = fingerprint(train, val, tested)
    return Parts(str(folder), train, val, tested, names, source, digest, skipped, notes)


def split_folder(folder: Path, manifest: Path, *, val: float = 0.1, test: float = 0.1, seed: int = 0) -> dict[str, int]:
    """Divide the images of `folder` by class and seed, and write the CSV file `manifest` that says so.

    `val` and `test` are fractions of what is divided; splits that the folder has by itself stay. No
    image is opened. Returns the number of images in each split. Raises `UsageError` for fractions
    that leave nothing to train on, `DataError` as `load_folder` does.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise UsageError(f"val {val:g} and test {test:g}; give fractions from 0 whose sum is below 1")
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; check the path")
    of_rest = val / (1 - test)  # val is taken after test is gone
    entries = fill_splits(scan(folder).entries, val_fraction=of_rest, test_fraction=test, seed=seed)
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


def _decode_all(
    folder: Path, entries: Sequence[Entry], pixels: int, report: Report | None
) -> tuple[npt.NDArray[np.uint8], list[str | None]]:
    """Give all images (N, 3, pixels, pixels), and for each why it failed (None: it did not)."""
    square = Preprocess(resize_pixels=pixels, crop_pixels=pixels, mean=(0.0,) * 3, std=(1.0,) * 3)
    images = np.empty((len(entries), 3, pixels, pixels), np.uint8)

    def decode_one(number: int) -> str | None:
        path = entries[number].path
        try:
            image = decode_file(folder / path, DEFAULT_LIMITS, printable(path))
        except ImageError as error:
            return str(error)
        images[number] = resize_and_crop(image, square).transpose(2, 0, 1)
        return None

    reasons: list[str | None] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for first in range(0, len(entries), _SLICE_IMAGES):
            numbers = range(first, min(first + _SLICE_IMAGES, len(entries)))
            for reason in pool.map(decode_one, numbers):
                reasons.append(reason)
                if report:
                    report(len(reasons), len(entries))
    return images, reasons


def _check_bad(folder: Path, skipped: Sequence[str], count: int, max_bad: float) -> None:
    allowed = max(1, int(max_bad * count)) if max_bad else 0
    if len(skipped) > allowed:
        first = "".join(f"\n  - {reason}" for reason in skipped[:10])
        more = f"\n  - and {len(skipped) - 10} more" if len(skipped) > 10 else ""
        raise DataError(
            f"{folder}: {len(skipped)} of {count} images cannot be read, accepted: {allowed} "
            f"(max_bad {max_bad:g}); mend or remove them, or raise max_bad:{first}{more}"
        )


def _check_every_class(entries: Sequence[Entry], good: npt.NDArray[np.bool_], names: Iterable[str]) -> None:
    usable = {entry.label for entry, ok in zip(entries, good, strict=True) if ok and entry.split is Split.TRAIN}
    if lost := sorted(set(names) - usable):
        raise DataError(f"classes without a single readable image in train: {', '.join(lost)}; add some")


def _select(
    images: npt.NDArray[np.uint8],
    entries: Sequence[Entry],
    good: npt.NDArray[np.bool_],
    names: Sequence[str],
    split: Split,
) -> Part:
    numbers = {name: number for number, name in enumerate(names)}
    chosen = [i for i, entry in enumerate(entries) if good[i] and entry.split is split]
    labels = np.array([numbers[entries[i].label] for i in chosen], dtype=np.int64)
    return part_from(images[np.array(chosen, dtype=np.int64)], labels)


def _unseen_classes(part: Part, split: str, names: Sequence[str]) -> tuple[str, ...]:
    seen = set(part.labels.tolist())
    unseen = [name for number, name in enumerate(names) if number not in seen]
    return (f"{split} has no images of: {', '.join(unseen)}",) if seen and unseen else ()
