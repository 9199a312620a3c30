"""All that a run does to a file system to keep what it must not lose, in five functions that can be stood in for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

INCOMPLETE = ".incomplete"  # what is added to the name of a file while it is written


class Disk:
    """The file system as it is; a fault test gives another one, which fails, dies or forgets at any of these calls."""

    def make_folder(self, path: Path) -> None:
        """Make a folder that is not there yet."""
        path.mkdir()

    def write(self, path: Path, data: bytes) -> None:
        """Make the file `path` of `data`, or put `data` in the place of what it held; not yet safe from a power cut."""
        path.write_bytes(data)

    def sync(self, path: Path) -> None:
        """Wait until a file's bytes, or a folder's names, are where a power cut leaves them."""
        if os.name != "posix" and path.is_dir():
            return  # elsewhere folders cannot be opened
        descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or a folder another name, all at once; a file of that name goes, a folder may not be there."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder with all in it; nothing if it is not there."""
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes, disk: Disk) -> None:
    """Write `path` so that at any moment it holds its old bytes or all of the new: aside, synced, renamed.

    Raises:
        OSError: it could not be written; the old file is as it was.
    """
    aside = path.with_name(path.name + INCOMPLETE)
    try:
        disk.write(aside, data)
        disk.sync(aside)
        disk.rename(aside, path)
        disk.sync(path.parent)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
