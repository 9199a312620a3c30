"""A manifest: a CSV file that says of every image its path, label and split; or any other list of images and classes.

`cnnlab data split` writes it, `cnnlab train --manifest` obeys it. Paths are relative to the data
folder, with /, and never lead out of it by themselves; links that the folder's owner put inside it are
followed. The file is for reading back: names are written as they are, so one that begins with = or @
is a formula to a spreadsheet. Bytes of file names that are not UTF-8 are kept.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from cnnlab.data.decode import printable
from cnnlab.data.file_index import FileIndex
from cnnlab.data.label_lists import LabelList, read_labels
from cnnlab.data.listing import Entry, Listing
from cnnlab.data.tree import read_tree
from cnnlab.errors import DataError
from cnnlab.types import Split

COLUMNS = ("path", "label", "split")
_SHOWN = 5


def write_manifest(manifest: Path, entries: Sequence[Entry]) -> None:
    """Write `entries` to the CSV file `manifest`, whole or not at all, in a folder that is made if need be.

    Raises `DataError` when it cannot be written.
    """
    aside = manifest.with_name(f".{manifest.name}.{os.getpid()}.tmp")
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
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
            entries = _once(
                (_entry(row, where), where) for row in rows for where in [f"{manifest} line {rows.line_num}"]
            )
    except OSError as error:
        raise DataError(f"{manifest} cannot be read ({error.strerror})") from None
    except csv.Error as error:
        raise DataError(f"{manifest} is not a CSV file ({error})") from None
    if not entries:
        raise DataError(f"{manifest} names no images; write one with: cnnlab data split FOLDER")
    return entries


def scan_manifest(manifest: Path, folder: Path) -> Listing:
    """List the images of `folder` that `manifest` names, which may be any list that `label_lists` reads.

    Raises `DataError` as `read_manifest` does, and where it names no images of `folder`, or no classes.
    """
    if is_manifest(manifest):
        return Listing(read_manifest(manifest))
    images = FileIndex(read_tree(folder).root.image_paths())
    found = read_labels(manifest, images)
    shown = printable(str(manifest))
    accepted = (
        f"accepted: a line for each image, {','.join(COLUMNS)} (cnnlab data split FOLDER writes it) or name,label"
    )
    if found is None:
        raise DataError(f"{shown} names none of the {len(images):,} images in {printable(str(folder))}; {accepted}")
    if not found.labels:
        raise DataError(f"{shown} names images, and no column is called label; {accepted}")
    paths = sorted(found.labels, key=lambda path: path.split("/"))
    entries = tuple(Entry(path, found.labels[path][0], found.parts.get(path)) for path in paths)
    return Listing(entries, (f"classes read from {shown}", *_left_out(found, shown)))


def is_manifest(manifest: Path) -> bool:
    """Whether a file has the columns of a manifest."""
    try:
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return set(COLUMNS) <= set(next(csv.reader(file), ()))
    except OSError as error:
        raise DataError(f"{printable(str(manifest))} cannot be read ({error.strerror})") from None
    except csv.Error:
        return False


def _left_out(found: LabelList, shown: str) -> tuple[str, ...]:
    kinds = (
        (found.missing, "images that are not there"),
        (sorted(found.unlabelled), "images without a class, which are left alone"),
    )
    if len(found.missing) > len(found.labels):
        raise DataError(
            f"{shown} names {len(found.missing):,} images that are not there, such as {printable(found.missing[0])}, "
            f"and {len(found.labels):,} that are; is it the list of other images?"
        )
    return tuple(f"{shown} names {len(names):,} {what}: {_some(names)}" for names, what in kinds if names)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more


def _once(entries: Iterable[tuple[Entry, str]]) -> tuple[Entry, ...]:
    """Give the entries, each with its line; refuses an image that has two classes or parts."""
    found: dict[str, Entry] = {}
    for entry, where in entries:
        if (before := found.setdefault(entry.path, entry)) != entry:
            raise DataError(
                f"{where}: {entry.path!r} is {_said(entry)}, and {_said(before)} in a line before; keep one of them"
            )
    return tuple(found.values())


def _said(entry: Entry) -> str:
    return f"{entry.label!r} in {entry.split or 'no part'}"


def _entry(row: dict[str, str], where: str) -> Entry:
    path, label, split = (row[column] or "" for column in COLUMNS)
    parts = PurePosixPath(path).parts
    outside = not parts or parts[0].startswith("/") or ".." in parts or "\0" in path
    if outside or (os.sep != "/" and os.sep in path):  # elsewhere a backslash is a letter like others
        raise DataError(f"{where}: path {path!r}; accepted: relative paths inside the data folder, with /")
    if not label:
        raise DataError(f"{where}: no label for {path!r}")
    if split not in ("", *Split):
        raise DataError(f"{where}: split {split!r}; accepted: {', '.join(Split)}, or nothing")
    return Entry(path, label, Split(split) if split else None)
