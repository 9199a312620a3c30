"""Where checked data sets are kept between runs: one safetensors file each, in the user's cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from cnnlab.errors import DataError, reason_of

NamedArrays = dict[str, npt.NDArray[np.uint8]]


def cache_folder() -> Path:
    """Name the folder for cached data: `$XDG_CACHE_HOME/cnnlab`, or `~/.cache/cnnlab`.

    Without a home directory, a folder of this user's in the system's temporary directory. The folder
    need not exist.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if Path(chosen).is_absolute():  # the XDG standard: relative paths are to be ignored
        return Path(chosen) / "cnnlab"
    try:
        return Path.home() / ".cache" / "cnnlab"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"cnnlab-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def read_arrays(path: Path) -> NamedArrays:
    """Read the named uint8 arrays of a safetensors file; raises `DataError` when it is damaged."""
    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({reason_of(error)})") from None


def write_arrays(path: Path, arrays: NamedArrays) -> None:
    """Write named arrays so that a crash leaves either the old file or the whole new one.

    Raises `DataError`, with nothing left behind, when the disk is full or read-only.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        save_file(arrays, aside)
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} cannot be written ({reason_of(error)})") from None
    finally:
        _remove(aside)


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fetch into: `folder`, or a temporary one where that cannot be written.

    One process at a time: the ranks of one machine wait here, then find the cache filled.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / ".lock").open("a")
    except OSError:
        with tempfile.TemporaryDirectory(prefix="cnnlab-") as temporary:
            yield Path(temporary)
        return
    with lock:
        _wait_for(lock.fileno())
        yield folder


def _wait_for(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two first runs at once both fetch, which costs only time
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a network disk without locks: likewise
        return


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
