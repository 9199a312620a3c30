"""A manifest: a CSV file that says of every image its path, label and split.

`cnnlab data split` writes it, `cnnlab train --manifest` obeys it. Paths are relative to the data
folder, with /, and never lead out of it by themselves; links that the folder's owner put inside it are
followed. The file is for reading back: names are written as they are, so one that begins with = or @
is a formula to a spreadsheet. Bytes of file names that are not UTF-8 are kept.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cnnlab.data.listing import Entry
from cnnlab.errors import DataError
from cnnlab.types import Split

COLUMNS = ("path", "label", "split")


def write_manifest(manifest: Path, entries: Sequence[Entry]) -> None:
    """Write `entries` to the CSV file `manifest`, whole or not at all.

    Raises `DataError` when it cannot be written.
    """
    aside = manifest.with_name(f".{manifest.name}.{os.getpid()}.tmp")
    try:
        with aside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            rows.writerows((entry.path, entry.label, entry.split or "") for entry in entries)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(manifest)
    except OSError as error:
        raise DataError(f"{manifest} cannot be written ({error.strerror}); choose another place") from None


def read_manifest(manifest: Path) -> tuple[Entry, ...]:
    """Read the entries of a manifest; an empty split is left to `listing.fill_splits`.

    Raises `DataError`, naming the line, for missing columns, unknown splits, or a path that is
    absolute or leads out of the data folder.
    """
    try:
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise DataError(f"{manifest} has columns {rows.fieldnames}; expected {', '.join(COLUMNS)}")
            entries = tuple(_entry(row, f"{manifest} line {rows.line_num}") for row in rows)
    except OSError as error:
        raise DataError(f"{manifest} cannot be read ({error.strerror})") from None
    except csv.Error as error:
        raise DataError(f"{manifest} is not a CSV file ({error})") from None
    if not entries:
        raise DataError(f"{manifest} names no images; write one with: cnnlab data split FOLDER")
    return entries


def _entry(row: dict[str, str], where: str) -> Entry:
    path, label, split = (row[column] or "" for column in COLUMNS)
    parts = PurePosixPath(path).parts
    if not parts or parts[0].startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise DataError(f"{where}: path {path!r}; accepted: relative paths inside the data folder, with /")
    if not label:
        raise DataError(f"{where}: no label for {path!r}")
    if split not in ("", *Split):
        raise DataError(f"{where}: split {split!r}; accepted: {', '.join(Split)}, or nothing")
    return Entry(path, label, Split(split) if split else None)
