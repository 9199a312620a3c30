"""Which data sets have names, and whether what is asked for can be data at all: known before torch is imported."""

from __future__ import annotations

import os
from pathlib import Path

from cnnlab.data.cifar10 import CIFAR10
from cnnlab.data.decode import SUFFIXES
from cnnlab.data.idx import FASHION_MNIST, MNIST
from cnnlab.data.listing import LAYOUT
from cnnlab.data.no_images import ARCHIVES
from cnnlab.data.tables import ENDINGS, SPREADSHEETS
from cnnlab.errors import DataError, UnknownNameError, command, unknown_name

PUBLISHED = {known.name: known for known in (CIFAR10, MNIST, FASHION_MNIST)}
"""The published sets, by name."""

NAMES = (*PUBLISHED, "synthetic")
"""Every name that `sources.load` knows."""


def is_name(data: str) -> bool:
    """Whether `data` is one of `NAMES`, however it is written, and not a folder."""
    return plain_name(data) in NAMES


def plain_name(data: str) -> str:
    """A data set's name as it stands in `NAMES`."""
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


def require_data(data: str | Path) -> None:
    """Refuse what is neither a data set's name, nor a folder that holds a file, nor a manifest.

    Raises:
        UnknownNameError: a name that no data set has.
        DataError: a path that leads nowhere, to a file that is no manifest, or to an empty folder.
    """
    if isinstance(data, str) and is_name(data):
        return
    path, manifest = locate(data)
    if manifest is None and not any(files for _, _, files in os.walk(path, followlinks=True)):
        raise DataError(f"{path} has no files in it; {LAYOUT}, images being {', '.join(SUFFIXES)}")


def _hint(path: Path) -> str:
    """What to do with a file of a kind that is not read."""
    ending = path.suffix.lower()
    if ending in SPREADSHEETS:
        return "; save the spreadsheet as CSV, with the columns filename,label"
    return f"; unpack it, and give the folder: {command('train', path.stem)}" if ending in ARCHIVES else ""


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
