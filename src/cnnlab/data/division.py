"""A run's division: which images it was given to train, validate and test on, by name and content.

A run writes it when it begins, as `division.csv` of its folder: path, label and split as in a manifest (so that
`--manifest` reads it), then the file's bytes and their SHA-256. Of more than `MAX_QUICK_IMAGES` images, or more than
`MAX_HASHED_BYTES`, which would take minutes to hours to read, the SHA-256 is left out and the size alone counts.
Published sets need none: their name and the SHA-256 of all they hold say it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.data.leaks import MAX_QUICK_IMAGES
from cnnlab.data.names import Names
from cnnlab.data.parts import Parts, photos_of
from cnnlab.data.photos import Files, read_ahead
from cnnlab.data.shards import ShardFiles
from cnnlab.errors import DataError, ImageError
from cnnlab.types import Split

DIVISION, DATA = "division.csv", "data.json"
COLUMNS = ("path", "label", "split", "bytes", "sha256")
MAX_HASHED_BYTES = 20e9
SPLITS = tuple(Split)
_COMPARED = 16  # images by which a copy of the data is recognised, besides all sizes

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """Images by their paths below `folder` (members of shards as shard/member), all (N,), train first, then val, test.

    `labels` number `class_names`; `splits` number train, val and test from 0; `sizes` are in bytes; `digests` are
    SHA-256, empty for a file that could not be read, None where they were not made. `manifest` is the file that said
    how to divide, if one did; `skipped` are the reasons why files were left out, each beginning with a path.
    """

    folder: Path
    class_names: tuple[str, ...]
    paths: Names
    labels: Indices
    splits: Indices
    sizes: Indices
    digests: tuple[str, ...] | None
    manifest: Path | None = None
    shards: bool = False
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def places(self, split: Split) -> Indices:
        """Where the images of a split are, in the order in which the run has them."""
        return np.flatnonzero(self.splits == SPLITS.index(split))


def division_of(parts: Parts, manifest: Path | None = None) -> Division | None:
    """The division of a data set made of files, whose contents are read; None for a published set.

    `manifest` is the file that said how to divide.
    """
    given = [part for part in (parts.train, parts.val, parts.test) if part is not None]
    photos = [each for part in given if (each := photos_of(part)) is not None]
    if len(photos) < len(given):
        return None
    files = photos[0].files
    sizes = np.array([each.files.num_bytes(index) for each in photos for index in range(len(each))], np.int64)
    quick = len(sizes) <= MAX_QUICK_IMAGES and sizes.sum() <= MAX_HASHED_BYTES
    return Division(
        folder=files.folder,
        class_names=parts.class_names,
        paths=Names(name for each in photos for name in each.names),
        labels=np.concatenate([part.labels.numpy() for part in given]),
        splits=np.repeat(np.arange(len(photos)), [len(each) for each in photos]),
        sizes=sizes,
        digests=tuple(digest for each in photos for digest in hash_files(each.files, range(len(each))))
        if quick
        else None,
        manifest=manifest,
        shards=isinstance(files, ShardFiles),
        skipped=parts.skipped,
    )


def hash_files(files: Files, indices: Iterable[int]) -> Iterator[str]:
    """The SHA-256 of the files at `indices`, in this order; empty for one that cannot be read."""
    for found in read_ahead(lambda index: hashlib.sha256(files.read(index)).hexdigest(), indices):
        yield "" if isinstance(found, ImageError) else found


def as_csv(division: Division) -> bytes:
    """The rows of `division.csv`; bytes of names that are not UTF-8 are kept."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    digests = division.digests or ("",) * len(division)
    columns = (division.paths, division.labels.tolist(), division.splits.tolist(), division.sizes.tolist(), digests)
    for path, label, split, size, digest in zip(*columns, strict=True):
        rows.writerow((path, division.class_names[label], SPLITS[split], size, digest))
    return text.getvalue().encode("utf-8", "surrogateescape")


def about(division: Division | None) -> dict[str, object]:
    """What `data.json` says of a division besides the rows of its file."""
    if division is None:
        return {}
    manifest = None if division.manifest is None else str(division.manifest)
    return {"folder": str(division.folder), "manifest": manifest, "shards": division.shards}


def read_division(run: Path) -> Division | None:
    """The division of the run in a folder; None where it wrote none: a published set, or an older run.

    Raises:
        DataError: it is not as it was written.
    """
    path = run / DIVISION
    if not path.is_file():
        return None
    try:
        told = json.loads((run / DATA).read_text(encoding="utf-8"))
        class_names = tuple(map(str, told["class_names"]))
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
            return _division(rows, class_names, told)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path} does not say which images the run was given ({error}); without it none can be said to be new to "
            "the network: put the file back as it was, or train again"
        ) from None


def _division(rows: Iterator[list[str]], class_names: tuple[str, ...], told: dict[str, Any]) -> Division:
    numbers = {name: number for number, name in enumerate(class_names)}
    splits = {split.value: number for number, split in enumerate(SPLITS)}
    paths, digests, values = [], [], []
    for path, label, split, size, digest in rows:
        if PurePosixPath(path).is_absolute() or ".." in path.split("/") or "\0" in path or not path:
            raise ValueError(f"path {path!r} is not inside the data folder")
        paths.append(path)
        digests.append(digest)
        values.append((numbers[label], splits[split], int(size)))
    labels, parts, sizes = np.array(values, np.int64).reshape(-1, 3).T
    return Division(
        folder=Path(told["folder"]),
        class_names=class_names,
        paths=Names(paths),
        labels=labels,
        splits=parts,
        sizes=sizes,
        digests=tuple(digests) if any(digests) else None,
        manifest=Path(told["manifest"]) if told.get("manifest") else None,
        shards=bool(told.get("shards")),
        skipped=tuple(map(str, told.get("skipped", ()))),
    )


def is_copy(division: Division, files: Files) -> bool:
    """Whether `files`, one for each image of a division in its order, hold what its data folder held.

    All sizes are compared, and the contents of a few; what else differs is for `divided.check` to find.
    """
    count = len(division)
    if not count or any(files.num_bytes(index) != size for index, size in enumerate(division.sizes.tolist())):
        return False
    if division.digests is None:
        return True
    some = sorted({index * (count - 1) // max(1, _COMPARED - 1) for index in range(_COMPARED)} & set(range(count)))
    return [division.digests[index] for index in some] == list(hash_files(files, some))
