"""Paths that mean the same from any working folder."""

from __future__ import annotations

import os
from pathlib import Path


def whole_path(path: str | Path) -> Path:
    """The path from the root of the file system; a link stays one, so that it may be turned to another place."""
    given = Path(path).expanduser()
    return given.resolve() if ".." in given.parts else given.absolute()


def same_path(first: str | Path | None, second: str | Path | None) -> bool:
    """Whether two paths, which need not exist, lead to the same place: however they are spelt, and through links."""
    if first is None or second is None:
        return first is second
    return os.path.realpath(Path(first).expanduser()) == os.path.realpath(Path(second).expanduser())
