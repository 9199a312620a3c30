"""A run's own data found again by its division: what is as it was, and what has changed since, by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.data.decode import printable
from cnnlab.data.division import SPLITS, Division, hash_files, is_copy
from cnnlab.data.download import Report
from cnnlab.data.folder import Found, in_memory_parts, list_images, on_disk_parts
from cnnlab.data.leaks import MAX_QUICK_IMAGES
from cnnlab.data.listing import Entry
from cnnlab.data.names import Names
from cnnlab.data.parts import Parts
from cnnlab.data.photos import Files, FolderFiles, Photos
from cnnlab.data.shards import scan_shards
from cnnlab.errors import DataError
from cnnlab.types import Split

_SHOWN = 5
_MAX_MOVED = 1000  # new files that are compared with those that are gone

Indices = npt.NDArray[np.int64]
Which = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """What is no longer as it was when the run began, by path; of a moved file both, of an added one the new path."""

    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """In words, what of the division can no longer be used."""
        moved = tuple(f"{old} (now {new})" for old, new in self.moved)
        kinds = {
            "no longer there": self.missing,
            "altered since": self.altered,
            "given another label since": self.relabelled,
            "moved since": moved,
        }
        return tuple(f"{_images(len(names))} {what}: {_some(names)}" for what, names in kinds.items() if names)

    @property
    def notes(self) -> tuple[str, ...]:
        """All of it, to be shown where the rest is used."""
        left_out = tuple(f"left out, {each}" for each in self.lost)
        if not self.added:
            return left_out
        new = f"left out, {_images(len(self.added))} that the run was not given, added since: {_some(self.added)}"
        return (*left_out, new)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more


def find_divided(division: Division, folder: Path, contents: Collection[Split] = SPLITS) -> tuple[Found, Changes]:
    """The images of a division in `folder` that are as they were, and what has changed.

    Sizes are compared, of the splits in `contents` the bytes, too, where the division has their SHA-256. Of a large
    set only these splits are looked at, and what was added is not looked for.

    Raises:
        DataError: the folder is gone, or its shards cannot be read.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}, which the run was trained on, is gone; put it back, or give the place where it is now as DATA"
        )
    files, places = files_of(division, folder)
    quick = len(division) <= MAX_QUICK_IMAGES
    asked = np.isin(division.splits, [SPLITS.index(split) for split in contents])
    missing, altered = _compare_files(division, files, places, asked | quick, asked)
    relabelled, added = _compare_names(division, folder) if quick else (missing & False, ())
    moved = _moved(division, missing, folder, added) if not division.shards else {}
    names = division.paths
    changes = Changes(
        missing=tuple(names[place] for place in _where(missing) if place not in moved),
        altered=tuple(names[place] for place in _where(altered)),
        relabelled=tuple(names[place] for place in _where(relabelled & ~missing & ~altered)),
        moved=tuple((names[place], path) for place, path in moved.items()),
        added=tuple(path for path in added if path not in moved.values()),
    )
    good = ~(missing | altered | relabelled)
    photos = Photos(torch.from_numpy(division.labels), names, files.take(np.maximum(places, 0)))
    chosen = {split: (where := division.places(split))[good[where]] for split in Split}
    source = f"{folder}, as it was divided when the run began"
    return Found(photos, chosen, division.class_names, (), source), changes


def _where(which: Which) -> list[int]:
    places: list[int] = np.flatnonzero(which).tolist()
    return places


def load_divided(division: Division, found: Found, *, pixels: int, photos: bool, report: Report | None = None) -> Parts:
    """What `find_divided` found as a data set: decoded as `load_folder` does, or with `photos` left on disk.

    Raises:
        DataError: an image that was readable is no longer.
    """
    name = str(division.folder)
    return on_disk_parts(found, name) if photos else in_memory_parts(found, name, pixels, max_bad=0, report=report)


def files_of(division: Division, folder: Path) -> tuple[Files, Indices]:
    """The files in a folder, and where among them each image of a division is: -1 for a shard's member that is gone."""
    if not division.shards:
        return FolderFiles(folder, division.paths), np.arange(len(division))
    listing, files = scan_shards(folder)
    numbers = {entry.path: number for number, entry in enumerate(listing.entries)}
    return files, np.array([numbers.get(path, -1) for path in division.paths], np.int64)


def lies_in(division: Division, folder: Path) -> bool:
    """Whether all that a run was given lies in `folder` as it lay in its data folder: copied there, or moved."""
    with suppress(DataError):
        files, places = files_of(division, folder)
        return bool((places >= 0).all()) and is_copy(division, files.take(places))
    return False


def _compare_files(
    division: Division, files: Files, places: Indices, looked: Which, by_content: Which
) -> tuple[Which, Which]:
    """Which images are missing, and which are altered: by size where `looked`, by their bytes where `by_content`."""
    sizes = division.sizes.copy()
    for index in _where(looked):
        sizes[index] = files.num_bytes(int(places[index])) if places[index] >= 0 else 0
    missing = (places < 0) | ((sizes == 0) & (division.sizes > 0))
    altered = (sizes != division.sizes) & ~missing
    if division.digests is not None:
        known = np.array([bool(digest) for digest in division.digests])
        same_size = np.flatnonzero(by_content & known & ~missing & ~altered)
        now = hash_files(files, places[same_size].tolist())
        for index, digest in zip(same_size.tolist(), now, strict=True):
            altered[index] = digest != division.digests[index]
    return missing, altered


def _compare_names(division: Division, folder: Path) -> tuple[Which, tuple[str, ...]]:
    """Which images have another label now, and which files are new; what cannot be listed any more says neither."""
    relabelled = np.zeros(len(division), np.bool_)
    entries: Sequence[Entry] = ()
    if division.manifest is None or division.manifest.is_file():
        with suppress(DataError):
            entries = list_images(folder, division.manifest)[0].entries
    places = {path: place for place, path in enumerate(division.paths)}
    known = set(division.class_names)  # ImageNet's are shown by words, which no folder is called by
    for entry in entries:
        place = places.get(entry.path)
        if place is not None and entry.label in known:
            relabelled[place] = entry.label != division.class_names[division.labels[place]]
    return relabelled, tuple(
        entry.path for entry in entries if entry.path not in places and not _was_unreadable(division, entry.path)
    )


def _was_unreadable(division: Division, path: str) -> bool:
    return any(reason.startswith(f"{printable(path)}:") for reason in division.skipped)


def _moved(division: Division, missing: Which, folder: Path, added: Sequence[str]) -> dict[int, str]:
    """Where the images are now whose contents are among the new files, by their places."""
    if division.digests is None or not missing.any() or len(added) > _MAX_MOVED:
        return {}
    files = FolderFiles(folder, Names(added))
    gone = {division.digests[place]: place for place in _where(missing)}
    sizes = set(division.sizes[missing].tolist())
    alike = [index for index in range(len(added)) if files.num_bytes(index) in sizes]
    found = zip(alike, hash_files(files, alike), strict=True)
    return {gone[digest]: added[index] for index, digest in found if digest and digest in gone}
