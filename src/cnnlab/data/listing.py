"""The images of a data set before any is opened: each one's path, class and part, and how parts are filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnnlab.data.class_names import refuse_alike
from cnnlab.data.decode import printable
from cnnlab.data.splits import fraction_of, hold_out
from cnnlab.errors import DataError
from cnnlab.types import Split

_SHOWN = 20

LAYOUT = "expected train/<class>/*.jpg with val/ and test/ like it, or <class>/*.jpg alone"


@dataclass(frozen=True, slots=True)
class Entry:
    """One image: its path relative to the data folder (with /), its class, its split (None: not yet)."""

    path: str
    label: str
    split: Split | None


@dataclass(frozen=True)
class Listing:
    """The images of a folder, in order of their paths, and warnings to show.

    `classes` are given in the order of the network's outputs where the data itself says it (shards do).
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


def fill_splits(
    entries: Sequence[Entry],
    *,
    val_images: int | None = None,
    val_fraction: float = 0.1,
    test_fraction: float = 0.1,
    seed: int = 0,
) -> tuple[Entry, ...]:
    """Give every entry a split, by class and seed.

    Entries without one go to train, and where no entry has one, `test_fraction` of them to test.
    Where none is in val, `val_images` (or `val_fraction`) of train go to val. Splits given stay.
    """
    filled = [entry if entry.split else replace(entry, split=Split.TRAIN) for entry in entries]
    if all(entry.split is None for entry in entries):
        _move(filled, fraction_of(len(filled), test_fraction) if test_fraction else 0, Split.TEST, seed)
    count = sum(entry.split is Split.TRAIN for entry in filled)
    if count and not any(entry.split is Split.VAL for entry in filled):
        share = fraction_of(count, val_fraction) if val_fraction else 0
        _move(filled, share if val_images is None else val_images, Split.VAL, seed)
    return tuple(filled)


def class_names(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Give the names of the classes of train, sorted.

    Raises `DataError` when there are fewer than two, when two look alike, when one is not UTF-8, or when val or test
    has a class that train lacks.
    """
    by_split: dict[Split | None, set[str]] = {split: set() for split in Split}
    for entry in entries:
        by_split[entry.split].add(entry.label)
    names = sorted(by_split[Split.TRAIN])
    shown = _some(names) or "none"
    if not names:
        others = " and ".join(split.value for split in Split if by_split[split])
        raise DataError(
            f"there are no images to train on, only in {others or 'no part'}; to test a network on them: cnnlab eval "
            f"RUN DATA; to train, call a part train; {LAYOUT}"
        )
    if len(names) < 2:
        raise DataError(f"train has {len(names)} class ({shown}); training needs two at least; {LAYOUT}")
    refuse_alike(names)
    if unreadable := [printable(name) for name in names if printable(name) != name]:
        raise DataError(
            f"class names that are not UTF-8, or have control characters: {_some(unreadable)}; rename their folders, "
            "or save the list as UTF-8"
        )
    for split in (Split.VAL, Split.TEST):
        if strangers := sorted(by_split[split] - set(names)):
            refuse_alike({*names, *strangers})
            raise DataError(f"{split} has classes that train lacks: {_some(strangers)}; train has: {shown}")
    return tuple(names)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more


def _move(entries: list[Entry], num_images: int, split: Split, seed: int) -> None:
    """Move about `num_images` entries of train to `split`, in place, every class by its share."""
    places = [i for i, entry in enumerate(entries) if entry.split is Split.TRAIN]
    numbers = {label: i for i, label in enumerate(sorted({entries[i].label for i in places}))}
    labels = np.array([numbers[entries[i].label] for i in places], dtype=np.int64)
    for place in hold_out(labels, num_images, seed)[1]:
        entries[places[place]] = replace(entries[places[place]], split=split)
