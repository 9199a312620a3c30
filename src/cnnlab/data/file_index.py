"""Finds the image that a cell of a list means: by path, by name, without its ending, whatever the folders before it."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from cnnlab.data.decode import SUFFIXES
from cnnlab.data.part_names import part_of_name
from cnnlab.errors import DataError

_MOST_FOLDERS = 64  # of a path that are compared; cells may be endless


class FileIndex:
    """The images of a folder, by every end of their paths (with /, relative to it), endings aside."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_end: dict[str, list[str]] = defaultdict(list)
        self._count = 0
        for path in paths:
            self._count += 1
            for end in _ends(_key(path)):
                self._by_end[end].append(path)

    def __len__(self) -> int:
        return self._count

    def find(self, cell: str) -> str | None:
        """The one image that `cell` means, None where there is none.

        Raises:
            DataError: several images are meant alike.
        """
        text = cell.replace("\\", "/").strip()
        for end in _ends(_key(text)):
            if found := self._by_end.get(end):
                path = self._choose(found, text, cell)
                return None if _of_other_parts(text, path) else path
        return None

    def _choose(self, found: list[str], text: str, cell: str) -> str:
        """The one of several images with the same key that is written as `text`."""
        if len(found) == 1:
            return found[0]
        for exact in (_as_written, _without_ending):
            ends = {exact(end) for end in _ends(text)}
            alike = [path for path in found if exact(path) in ends or any(exact(end) in ends for end in _ends(path))]
            if len(alike) == 1:
                return alike[0]
        raise DataError(
            f"{cell!r} may be {found[0]!r} or {found[1]!r}; write the path with its folders and ending, as in "
            f"{found[0]!r}"
        )


def _ends(path: str) -> list[str]:
    """All ends of a path, the longest first: a/b/c, b/c, c."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")][-_MOST_FOLDERS:]
    return ["/".join(parts[first:]) for first in range(len(parts))]


def _of_other_parts(cell: str, path: str) -> bool:
    """Whether a cell speaks of another part than the image's: test/1.jpg does not mean train/1.jpg."""
    asked, has = ({part_of_name(folder) for folder in each.split("/")[:-1]} - {None} for each in (cell, path))
    return bool(asked and has and not asked & has)


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", _without_ending(path)).casefold()


def _as_written(path: str) -> str:
    return path


def _without_ending(path: str) -> str:
    stem, ending = os.path.splitext(path)  # noqa: PTH122, a Path for each of a million files takes 20 s
    return stem if ending.lower() in SUFFIXES else path
