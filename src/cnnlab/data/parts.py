"""A data set: its three parts, in memory or on disk, its class names, and where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.decode import printable
from cnnlab.data.photos import Photos
from cnnlab.data.splits import hold_out
from cnnlab.errors import UsageError


@dataclass(frozen=True)
class Part:
    """Images and their labels: uint8 (N, C, H, W) and int64 (N,); `photos` are the files they were decoded from."""

    images: Tensor
    labels: Tensor
    photos: Photos | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Parts:
    """A data set divided for training; `val` may be empty, `test` is None where there is none.

    The parts are all in memory (`Part`) or all on disk (`Photos`).
    `source` says in words where it came from; `sha256` is the fingerprint of all images and labels as
    divided; `skipped` names the files left out, each with its reason; `notes` are warnings to show.
    """

    name: str
    train: Part | Photos
    val: Part | Photos
    test: Part | Photos | None
    class_names: tuple[str, ...]
    source: str
    sha256: str
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def part_from(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Part:
    """Make a `Part` of numpy arrays: uint8 (N, C, H, W), and whole numbers (N,)."""
    writable = np.require(images, requirements=["C", "W"])  # torch warns of read-only memory
    return Part(torch.from_numpy(writable), torch.from_numpy(labels.astype(np.int64)))


def take(part: Part, indices: npt.NDArray[np.int64]) -> Part:
    """Copy out the images and labels at `indices` (M,)."""
    chosen = torch.from_numpy(indices)
    photos = None if part.photos is None else part.photos.take(indices)
    return Part(part.images[chosen], part.labels[chosen], photos)


def join(first: Part, second: Part) -> Part:
    """Put two parts without files one after the other; an empty one costs nothing."""
    if not len(second):
        return first
    return Part(torch.cat([first.images, second.images]), torch.cat([first.labels, second.labels]))


def divide(part: Part, num_images: int, seed: int) -> tuple[Part, Part]:
    """Divide a part into (kept, held), `num_images` held, by class; see `splits.hold_out`."""
    kept, held = hold_out(part.labels.numpy(), num_images, seed)
    return take(part, kept), take(part, held)


def finish(train: Part, val: Part, final: bool) -> tuple[Part, Part]:
    """Give (train, val) as they are, or for a `final` run all in train and an empty val."""
    return (join(train, val), take(val, np.zeros(0, np.int64))) if final else (train, val)


def fingerprint(train: Part | Photos, val: Part | Photos, test: Part | Photos | None) -> str:
    """Give the SHA-256 of the images' and labels' bytes, of train, val and test in this order.

    Of photos on disk, the names count in place of the bytes, which would take an hour to read.
    """
    digest = hashlib.sha256()
    for part in (train, val, test):
        if part is not None:
            _digest_images(digest, part)
            digest.update(part.labels.numpy().data)
    return digest.hexdigest()


def _digest_images(digest: hashlib._Hash, part: Part | Photos) -> None:
    if isinstance(part, Part):
        digest.update(part.images.numpy().data)
        return
    for name in part.names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")


def choose(part: Part | Photos, indices: npt.NDArray[np.int64]) -> Part | Photos:
    """Give only the images at `indices` (M,), in memory or on disk as they were."""
    return part.take(indices) if isinstance(part, Photos) else take(part, indices)


def photos_of(part: Part | Photos) -> Photos | None:
    """Give the files of a part's images; None for images that never were files of their own."""
    return part if isinstance(part, Photos) else part.photos


def name_of(part: Part | Photos, index: int) -> str:
    """What to call an image of a part in a message: its file, safe to print, or "image 12" where it has none."""
    photos = photos_of(part)
    return f"image {index}" if photos is None else printable(photos.names[index])


def file_of(part: Part | Photos, index: int) -> Path | None:
    """Where an image of a part is a file of its own; None in a published set or a shard."""
    photos = photos_of(part)
    return None if photos is None else photos.files.path(index)


def in_memory(part: Part | Photos) -> Part:
    """Give a part that is in memory; raises `UsageError` for photos on disk, which come one at a time."""
    if isinstance(part, Photos):
        raise UsageError(f"{len(part)} photos on disk, where images in memory are needed; load them with photos=False")
    return part
