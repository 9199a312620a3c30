"""A part of a data set whose photos stay on disk, each of its own size."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.damage import Damaged
from cnnlab.data.decode import decode, printable, read_image_file
from cnnlab.data.names import Names
from cnnlab.errors import ImageError

Pixels = npt.NDArray[np.uint8]
Value = TypeVar("Value")
Indices = npt.NDArray[np.int64]


class Files(Protocol):
    """Where the bytes of photos lie."""

    @property
    def folder(self) -> Path:
        """The data folder that the photos' names are relative to."""

    def read(self, index: int) -> bytes:
        """Give the bytes of one image file; raises `ImageError`, naming it."""

    def num_bytes(self, index: int) -> int:
        """Say how long one image file is, 0 for one that cannot be reached."""

    def path(self, index: int) -> Path | None:
        """Say where one image is a file of its own, None where it is not."""

    def take(self, indices: Indices) -> Self:
        """Give only the files at `indices` (M,)."""


@dataclass(frozen=True)
class FolderFiles:
    """Image files by their paths, with /, below the folder `root`."""

    root: Path
    paths: Names

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.root

    def read(self, index: int) -> bytes:
        """Give the bytes of one file; raises `ImageError` for one too large, or no regular file."""
        path = self.paths[index]
        return read_image_file(self.root / path, name=printable(path))

    def num_bytes(self, index: int) -> int:
        """Say how long one file is, 0 for one that cannot be reached."""
        try:
            return (self.root / self.paths[index]).stat().st_size
        except (OSError, ValueError):
            return 0

    def path(self, index: int) -> Path:
        """Say where one file is."""
        return self.root / self.paths[index]

    def take(self, indices: Indices) -> FolderFiles:
        """Give only the files at `indices` (M,)."""
        return replace(self, paths=self.paths.take(indices))


@dataclass(frozen=True)
class Photos:
    """Photos on disk and their labels, int64 (N,); `names` (N) are shown in messages.

    Those that turn out to be damaged when they are read, and are used all the same, are in `damaged`.
    """

    labels: Tensor
    names: Names
    files: Files
    damaged: Damaged = field(default_factory=Damaged, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Pixels:
        """Decode one photo to RGB uint8 (H, W, 3); raises `ImageError`, naming it."""
        return decode(self.files.read(index), name=printable(self.names[index]), damaged=self.damaged)

    def take(self, indices: Indices) -> Photos:
        """Give only the photos at `indices` (M,)."""
        labels = self.labels[torch.from_numpy(indices)]
        return Photos(labels, self.names.take(indices), self.files.take(indices), self.damaged)


def decoded(photos: Photos, indices: Iterable[int], threads: int | None = None) -> Iterator[Pixels | ImageError]:
    """Decode the photos at `indices` in this order, reading ahead; an unreadable one gives its error."""
    return read_ahead(photos.read, indices, threads)


def read_ahead(
    read: Callable[[int], Value], indices: Iterable[int], threads: int | None = None
) -> Iterator[Value | ImageError]:
    """Call `read` for `indices` in threads, a few ahead, and give in order what it gave or its `ImageError`."""

    def read_one(index: int) -> Value | ImageError:
        try:
            return read(int(index))
        except ImageError as error:
            return error

    count = threads or usable_cores()
    todo = iter(indices)
    with ThreadPoolExecutor(count) as pool:
        ahead: deque[Future[Value | ImageError]] = deque(pool.submit(read_one, i) for i in islice(todo, 4 * count))
        while ahead:
            done = ahead.popleft()
            ahead.extend(pool.submit(read_one, i) for i in islice(todo, 1))
            yield done.result()


def usable_cores() -> int:
    """Say how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
