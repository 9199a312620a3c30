"""What a data set holds, in numbers: counts by class, sizes, mean and deviation, repeated images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from cnnlab.data.parts import Part, Parts
from cnnlab.data.preprocess import measure
from cnnlab.types import Split

_SHOWN_LEAKS = 100


@dataclass(frozen=True)
class Leak:
    """One image that lies, byte for byte, in two splits; a test of it tests memory."""

    first_split: Split
    first_index: int
    second_split: Split
    second_index: int


@dataclass(frozen=True)
class Stats:
    """The numbers of a data set.

    `counts` has for each split the images of each class, in the order of `class_names`;
    `image_shape` is (C, H, W); `mean` and `std` are those of train's channels, in [0, 1] units;
    `num_repeats` counts images equal to an earlier one of their own split; `num_leaks` those equal to
    one of an earlier split (train, val, test), of which `leaks` names the first hundred.
    """

    name: str
    class_names: tuple[str, ...]
    counts: dict[Split, tuple[int, ...]]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_bytes: int
    num_repeats: int
    num_leaks: int
    leaks: tuple[Leak, ...]


def stats(parts: Parts) -> Stats:
    """Count and measure a data set; two images are the same when their decoded bytes are."""
    splits = _splits(parts)
    classes = len(parts.class_names)
    counts = {split: tuple(torch.bincount(part.labels, minlength=classes).tolist()) for split, part in splits.items()}
    preprocess = measure(parts.train.images)
    num_repeats, leaks = _repeats(splits)
    _, channels, height, width = parts.train.images.shape
    return Stats(
        name=parts.name,
        class_names=parts.class_names,
        counts=counts,
        image_shape=(channels, height, width),
        mean=preprocess.mean,
        std=preprocess.std,
        num_bytes=sum(part.images.numel() for part in splits.values()),
        num_repeats=num_repeats,
        num_leaks=len(leaks),
        leaks=tuple(leaks[:_SHOWN_LEAKS]),
    )


def _splits(parts: Parts) -> dict[Split, Part]:
    present = {Split.TRAIN: parts.train, Split.VAL: parts.val}
    return present if parts.test is None else {**present, Split.TEST: parts.test}


def _repeats(splits: dict[Split, Part]) -> tuple[int, list[Leak]]:
    first_seen: dict[bytes, tuple[Split, int]] = {}
    num_repeats, leaks = 0, []
    for split, part in splits.items():
        for index, image in enumerate(part.images.numpy()):
            key = hashlib.blake2b(image.data, digest_size=16).digest()
            before = first_seen.setdefault(key, (split, index))
            if before[0] is not split:
                leaks.append(Leak(*before, split, index))
            elif before[1] != index:
                num_repeats += 1
    return num_repeats, leaks
