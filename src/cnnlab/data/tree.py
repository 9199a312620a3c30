"""A data folder and all below it, walked through once: which images, other files and folders each folder holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.data.walk import LeftOut, suffix, told, walk
from cnnlab.errors import DataError

_OF_A_RUN = ("recipe.json", "settings.json")


@dataclass(frozen=True)
class Folder:
    """One folder: its path below the data folder with / ("" for itself), and the names of what it holds, sorted.

    `num_images` are all images in it and below.
    """

    path: str
    images: tuple[str, ...]
    others: tuple[str, ...]
    folders: tuple[Folder, ...]
    num_images: int

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.rpartition("/")[2]

    @cached_property
    def filled(self) -> tuple[Folder, ...]:
        """The folders in it that have images, in them or below."""
        return tuple(folder for folder in self.folders if folder.num_images)

    def walk(self) -> Iterator[Folder]:
        """Yield this folder and all below it."""
        pending = [self]
        while pending:
            folder = pending.pop()
            yield folder
            pending += reversed(folder.folders)

    def join(self, name: str) -> str:
        """Give the path below the data folder of something in this folder."""
        return f"{self.path}/{name}" if self.path else name

    def image_paths(self) -> list[str]:
        """List the paths of all images in it and below, in the order of their folders' and own names."""
        paths = [folder.join(name) for folder in self.walk() for name in folder.images]
        return sorted(paths, key=lambda path: path.split("/"))

    def other_paths(self) -> list[str]:
        """List the paths of all files in it and below that are no images by their endings."""
        return [folder.join(name) for folder in self.walk() for name in folder.others]


@dataclass(frozen=True)
class Tree:
    """A data folder as found: `root` is itself, `left_out` what was not entered or looked at, and why."""

    root: Folder
    left_out: tuple[LeftOut, ...]

    def why_unreadable(self, folder: Folder) -> str | None:
        """Say why a folder could not be read; None where it was."""
        return next((each.why for each in self.left_out if each.path == f"{folder.path}/"), None)

    def notes(self, folder: Path) -> tuple[str, ...]:
        """Say in a line for each reason what is left out of the data folder `folder`."""
        return told(folder, self.left_out)


def read_tree(folder: Path) -> Tree:
    """Walk through `folder`; no file is opened.

    Raises:
        DataError: it cannot be read.
    """
    found = walk(folder)
    if found.left_out and found.left_out[0].path == ".":
        raise DataError(f"{printable(str(folder))} {found.left_out[0].why}; make it readable (chmod)")
    runs = _runs(found.files)
    left_out = (*found.left_out, *(LeftOut(run, "a run of cnnlab") for run in runs))
    return Tree(_build(_without(runs, found.files), _without(runs, found.folders)), left_out)


def _runs(files: Sequence[str]) -> list[str]:
    """The folders that training writes, which hold pictures, too; and what holds only these."""
    parents = [{path.removesuffix(name)[:-1] for path in files if path.endswith(f"/{name}")} for name in _OF_A_RUN]
    runs = sorted(set.intersection(*parents))
    around = {run.rpartition("/")[0] for run in runs} - {""}
    return sorted(
        {*runs, *(each for each in around if not _without(runs, [path for path in files if _lies_in(path, each)]))}
    )


def _without(folders: Sequence[str], paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not any(path == each or _lies_in(path, each) for each in folders)]


def _lies_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _build(files: Sequence[str], paths: Sequence[str]) -> Folder:
    names: dict[str, list[str]] = defaultdict(list)
    for path in files:
        parent, _, name = path.rpartition("/")
        names[parent].append(name)
    inside: dict[str, list[Folder]] = defaultdict(list)
    for path in sorted(paths, key=lambda path: (-path.count("/"), path)):  # the deepest first: there are 1,200 levels
        inside[path.rpartition("/")[0]].append(_folder(path, names[path], inside[path]))
    return _folder("", names[""], inside[""])


def _folder(path: str, names: Sequence[str], folders: Sequence[Folder]) -> Folder:
    images = tuple(sorted(name for name in names if suffix(name) in SUFFIXES))
    others = tuple(sorted(name for name in names if suffix(name) not in SUFFIXES))
    return Folder(path, images, others, tuple(folders), len(images) + sum(folder.num_images for folder in folders))
