"""A cache of photos, resized once: tar shards of small JPEGs, which decode several times faster.

The shards are WebDataset's layout, so other programs read them too. On disk rather than in memory: a
million photos of 256 pixels take 25 GB as JPEGs and 250 GB decoded, and the system's page cache keeps in
memory what fits.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnlab.data.download import Report
from cnnlab.data.parts import Part, Parts
from cnnlab.data.photos import Photos, read_ahead
from cnnlab.data.preprocess import resize_shorter
from cnnlab.data.sampler import order
from cnnlab.data.shards import CLASS_FILE
from cnnlab.data.unreadable import refuse_too_many
from cnnlab.errors import DataError, ImageError, UsageError
from cnnlab.types import Interpolation, Split

IMAGES_PER_SHARD = 5_000
_SAMPLE_PHOTOS = 100
_MEMBER_BYTES = 2048  # two headers, a label's block and half a block of padding, on average


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote; `skipped` names the photos that could not be read."""

    num_images: int
    num_shards: int
    num_bytes: int
    skipped: tuple[str, ...]


def estimate(parts: Parts, pixels: int, quality: int = 90) -> int:
    """Say about how many bytes the shards will take, from a hundred photos drawn at random."""
    photos = _photos(parts)
    count = sum(map(len, photos.values()))
    train = photos[Split.TRAIN]
    sample = order(0, 0, len(train))[:_SAMPLE_PHOTOS].tolist()
    sizes = [len(each) for each in _small_jpegs(train, sample, pixels, quality) if isinstance(each, bytes)]
    return round(count * (float(np.mean(sizes)) + _MEMBER_BYTES)) if sizes else 0


def pack(
    parts: Parts,
    folder: Path,
    *,
    pixels: int = 256,
    quality: int = 90,
    max_bad: float = 0.01,
    report: Report | None = None,
) -> Packed:
    """Write the photos of `parts` into `folder` as shards, the shorter side brought to `pixels` at most.

    Nothing is enlarged. The folder is written aside and renamed. Raises `UsageError` when it exists, or
    for values that make no sense, `DataError` for too many unreadable photos or too little room.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already; give another with --out, or remove it")
    if not (pixels >= 1 and 1 <= quality <= 95):
        raise UsageError(f"pixels {pixels}, quality {quality}; accepted: pixels from 1, quality from 1 to 95")
    _check_room(folder, estimate(parts, pixels, quality))
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir(parents=True)
        packed = _write(parts, aside, pixels, quality, max_bad, report)
        aside.rename(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another place") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return packed


def _write(parts: Parts, folder: Path, pixels: int, quality: int, max_bad: float, report: Report | None) -> Packed:
    (folder / CLASS_FILE).write_text("".join(f"{name}\n" for name in parts.class_names), encoding="utf-8")
    skipped: list[str] = []
    done = 0
    splits = _photos(parts)
    count = sum(map(len, splits.values()))
    for split, photos in splits.items():
        # In an order drawn once, so that a reader who goes through a shard meets all classes.
        wanted = order(0, 0, len(photos)).tolist()
        with ExitStack() as stack:
            for number, data in enumerate(_small_jpegs(photos, wanted, pixels, quality)):
                if number % IMAGES_PER_SHARD == 0:
                    stack.close()
                    path = folder / f"{split}-{number // IMAGES_PER_SHARD:06}.tar"
                    tar = stack.enter_context(tarfile.open(path, "w"))
                if isinstance(data, bytes):
                    _add(tar, f"{number:09}.jpg", data)
                    _add(tar, f"{number:09}.cls", str(int(photos.labels[wanted[number]])).encode())
                else:
                    skipped.append(str(data))
                    refuse_too_many(skipped, count, max_bad, parts.name)
                done += 1
                if report:
                    report(done, count)
    shards = list(folder.glob("*.tar"))
    num_bytes = sum(path.stat().st_size for path in shards)
    return Packed(done - len(skipped), len(shards), num_bytes, tuple(skipped))


def _small_jpegs(photos: Photos, indices: list[int], pixels: int, quality: int) -> Iterator[bytes | ImageError]:
    def small(index: int) -> npt.NDArray[np.uint8]:
        image = photos.read(index)
        if min(image.shape[:2]) > pixels:
            image = resize_shorter(image, pixels, Interpolation.BILINEAR)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        return np.frombuffer(buffer.getvalue(), np.uint8)

    for data in read_ahead(small, indices):
        yield data if isinstance(data, ImageError) else data.tobytes()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _photos(parts: Parts) -> dict[Split, Photos]:
    splits = {Split.TRAIN: parts.train, Split.VAL: parts.val, Split.TEST: parts.test}
    photos = {}
    for split, part in splits.items():
        if isinstance(part, Part):
            raise UsageError(f"{parts.name} lies in memory as it is; pack a folder of photos")
        if part is not None and len(part):
            photos[split] = part
    return photos


def _check_room(folder: Path, num_bytes: int) -> None:
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(place).free
    if num_bytes > free:
        raise DataError(f"{folder} needs about {num_bytes / 1e6:,.0f} MB, {place} has {free / 1e6:,.0f} MB free")
