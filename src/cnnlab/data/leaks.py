"""Images that are there twice, byte for byte: in two parts, where a test of them tests memory, or in two classes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cnnlab.data.parts import Part, name_of, photos_of
from cnnlab.data.photos import Photos
from cnnlab.errors import ImageError
from cnnlab.types import Split

MAX_QUICK_IMAGES = 20_000
"""Up to so many photos on disk, `note_leaks` looks for leaks; more take minutes."""

_SHOWN = 3


@dataclass(frozen=True)
class Leak:
    """One image that is there twice, byte for byte: in two splits, or in two classes."""

    first_split: Split
    first_index: int
    second_split: Split
    second_index: int


@dataclass(frozen=True)
class Repeats:
    """Images equal to an earlier one: of their own split, of an earlier split, and of another class."""

    repeats: tuple[Leak, ...]
    leaks: tuple[Leak, ...]
    two_classes: tuple[Leak, ...]


def find_repeats(splits: dict[Split, Part | Photos]) -> Repeats:
    """Compare all images of all splits: decoded bytes in memory, whole files on disk.

    Only files of equal size are read; one that cannot be read is equal to none.
    """
    first_seen: dict[bytes, tuple[Split, int]] = {}
    repeats: list[Leak] = []
    leaks: list[Leak] = []
    two_classes: list[Leak] = []
    for split, index, key in _keys(splits):
        before = first_seen.setdefault(key, (split, index))
        if before == (split, index):
            continue
        pair = Leak(*before, split, index)
        (repeats if before[0] is split else leaks).append(pair)
        if int(splits[before[0]].labels[before[1]]) != int(splits[split].labels[index]):
            two_classes.append(pair)
    return Repeats(tuple(repeats), tuple(leaks), tuple(two_classes))


def note_leaks(train: Part | Photos, val: Part | Photos, test: Part | Photos | None) -> tuple[str, ...]:
    """Say in words which images of val and test are in an earlier part too, and which are in two classes."""
    splits = {Split.TRAIN: train, Split.VAL: val, **({} if test is None else {Split.TEST: test})}
    count = sum(map(len, splits.values()))
    if isinstance(train, Photos) and count > MAX_QUICK_IMAGES:
        return (f"not looked for images that lie in two parts, there being {count:,}: cnnlab data stats DATA does",)
    found = find_repeats(splits)
    kinds = (
        (found.leaks, "images lie in two parts, so their results will look too good"),
        (found.two_classes, "images lie in two classes, of which one is wrong"),
    )
    return tuple(f"{len(pairs)} {what}: {in_words(pairs, splits)}" for pairs, what in kinds if pairs)


def in_words(leaks: Sequence[Leak], splits: Mapping[Split, Part | Photos]) -> str:
    """The first few pairs of equal images by the names of their files, and how many more there are."""
    shown = "; ".join(_pair(leak, splits) for leak in leaks[:_SHOWN])
    more = f"; and {len(leaks) - _SHOWN:,} more" if len(leaks) > _SHOWN else ""
    return f"{shown}{more}"


def _pair(leak: Leak, splits: Mapping[Split, Part | Photos]) -> str:
    names = []
    for split, index in ((leak.first_split, leak.first_index), (leak.second_split, leak.second_index)):
        part = splits[split]
        names.append(f"{split} {index}" if photos_of(part) is None else name_of(part, index))
    return " = ".join(names)


def _keys(splits: dict[Split, Part | Photos]) -> Iterator[tuple[Split, int, bytes]]:
    """Give a key for each image, equal for equal ones."""
    shared = _shared_sizes(splits)
    for split, part in splits.items():
        for index in range(len(part)):
            if isinstance(part, Part):
                yield split, index, _hash(part.images[index].numpy().tobytes())
            elif part.files.num_bytes(index) in shared:
                try:
                    yield split, index, _hash(part.files.read(index))
                except ImageError:
                    continue


def _shared_sizes(splits: dict[Split, Part | Photos]) -> set[int]:
    """Give the sizes in bytes that more than one file on disk has."""
    counts: dict[int, int] = defaultdict(int)
    for part in splits.values():
        if isinstance(part, Photos):
            for index in range(len(part)):
                counts[part.files.num_bytes(index)] += 1
    return {size for size, count in counts.items() if count > 1}


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
