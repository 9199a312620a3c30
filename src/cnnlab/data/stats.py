"""What a data set holds, in numbers: counts by class, sizes, mean and deviation, colour axes, repeated images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnnlab.data.leaks import Leak, find_repeats
from cnnlab.data.parts import Part, Parts
from cnnlab.data.photos import Photos, decoded
from cnnlab.data.sampler import order
from cnnlab.errors import DataError, ImageError
from cnnlab.types import Split

SAMPLE_PHOTOS = 10_000
"""So many photos on disk, drawn at random, are measured; of fewer, all."""

_SHOWN_LEAKS = 100
_CHUNK_IMAGES = 1000
_SAMPLE_SEED = 0


@dataclass(frozen=True)
class Colours:
    """Mean, deviation and covariance of the channels of `num_images` images, in [0, 1] units.

    `covariance` is (C, C); `num_unreadable` counts photos that were left out.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    num_images: int
    num_unreadable: int = 0


@dataclass(frozen=True)
class Stats:
    """The numbers of a data set.

    `counts` has for each split the images of each class, in the order of `class_names`;
    `image_shape` is (C, H, W), with H and W 0 for photos, each of its own size; `mean` and `std` are those
    of train's channels, in [0, 1] units, measured on `num_measured` images; `num_bytes` is what the images
    take in memory, or the files of photos on disk. `num_repeats` counts images equal to an earlier one of
    their own split, of which `repeats` are the first hundred; `num_leaks` those equal to one of an earlier
    split (train, val, test), of which `leaks` are the first hundred.
    """

    name: str
    class_names: tuple[str, ...]
    counts: dict[Split, tuple[int, ...]]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_measured: int
    num_bytes: int
    num_repeats: int
    num_leaks: int
    num_two_classes: int
    leaks: tuple[Leak, ...]
    repeats: tuple[Leak, ...]
    two_classes: tuple[Leak, ...]


def stats(parts: Parts) -> Stats:
    """Count and measure a data set; two images are the same when their bytes are, decoded or as files."""
    splits = splits_of(parts)
    classes = len(parts.class_names)
    counts = {split: tuple(torch.bincount(part.labels, minlength=classes).tolist()) for split, part in splits.items()}
    colours = measure_colours(parts.train)
    repeats = find_repeats(splits)
    return Stats(
        name=parts.name,
        class_names=parts.class_names,
        counts=counts,
        image_shape=_shape(parts.train),
        mean=colours.mean,
        std=colours.std,
        num_measured=colours.num_images,
        num_bytes=sum(map(_num_bytes, splits.values())),
        num_repeats=len(repeats.repeats),
        num_leaks=len(repeats.leaks),
        num_two_classes=len(repeats.two_classes),
        leaks=repeats.leaks[:_SHOWN_LEAKS],
        repeats=repeats.repeats[:_SHOWN_LEAKS],
        two_classes=repeats.two_classes[:_SHOWN_LEAKS],
    )


def measure_colours(part: Part | Photos) -> Colours:
    """Measure the colours of all pixels of a part, in float64; of more than `SAMPLE_PHOTOS` photos, of so many.

    A photo counts by its pixels. Raises `DataError` when there is no image.
    """
    total = products = torch.zeros((), dtype=torch.float64)
    num_pixels = num_images = 0
    for pixels, count in _pixels(part):
        values = pixels.to(torch.float64) / 255
        total, products = total + values.sum(0), products + values.T @ values
        num_pixels, num_images = num_pixels + len(values), num_images + count
    if not num_pixels:
        raise DataError(f"no images to measure the colours of, among {len(part)}")
    mean = total / num_pixels
    covariance = products / num_pixels - mean[:, None] * mean
    std = covariance.diagonal().clamp(min=0).sqrt()
    rows = tuple(tuple(row) for row in covariance.tolist())
    missing = min(len(part), SAMPLE_PHOTOS) - num_images if isinstance(part, Photos) else 0
    return Colours(tuple(mean.tolist()), tuple(std.tolist()), rows, num_images, missing)


def colour_pca(part: Part | Photos | Colours) -> tuple[Tensor, Tensor]:
    """Give the principal axes of colour: eigenvalues (C,), largest first, and eigenvectors (C, C), float32.

    A column is an axis; of RGB in [0, 1]. The signs are such that each axis' largest number is above 0.
    Krizhevsky et al. 2012, section 4.1.
    """
    colours = part if isinstance(part, Colours) else measure_colours(part)
    values, axes = np.linalg.eigh(np.array(colours.covariance))
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(values))])
    largest_first = np.ascontiguousarray(axes[:, ::-1])
    return torch.from_numpy(values[::-1].copy()).float(), torch.from_numpy(largest_first).float()


def _pixels(part: Part | Photos) -> Iterator[tuple[Tensor, int]]:
    """Give uint8 pixels (M, C), a chunk at a time, each with the number of its images."""
    if isinstance(part, Part):
        for chunk in torch.split(part.images, _CHUNK_IMAGES):
            yield chunk.movedim(1, -1).reshape(-1, chunk.shape[1]), len(chunk)
        return
    for image in decoded(part, order(_SAMPLE_SEED, 0, len(part))[:SAMPLE_PHOTOS].tolist()):
        if not isinstance(image, ImageError):
            yield torch.from_numpy(image).reshape(-1, 3), 1


def splits_of(parts: Parts) -> dict[Split, Part | Photos]:
    """The parts that there are, by split."""
    present = {Split.TRAIN: parts.train, Split.VAL: parts.val}
    return present if parts.test is None else {**present, Split.TEST: parts.test}


def _shape(part: Part | Photos) -> tuple[int, int, int]:
    if isinstance(part, Photos):
        return 3, 0, 0
    _, channels, height, width = part.images.shape
    return channels, height, width


def _num_bytes(part: Part | Photos) -> int:
    if isinstance(part, Part):
        return part.images.numel()
    return sum(part.files.num_bytes(index) for index in range(len(part)))
