"""Classes of a data set found by their names among those that a network knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.data.parts import Part, Parts, choose
from cnnlab.data.photos import Photos
from cnnlab.errors import DataError

SHOWN_CLASSES = 20
IMAGENET_CLASSES = 1000
CLOSE = 0.7  # how alike two names must be for one to be taken for a slip of the other
WORDNET_ID = re.compile(r"n\d{8}")

Indices = npt.NDArray[np.int64]


def same_classes(known: Sequence[str], found: Sequence[str]) -> bool:
    """Whether two lists name the same classes in the same order; ImageNet's go by several names."""
    return tuple(known) == tuple(found) or _both_are_imagenet(known, found)


def _both_are_imagenet(known: Sequence[str], found: Sequence[str]) -> bool:
    """Whether the thousand classes of ImageNet are meant, which folders call by WordNet ids or by longer words.

    All keep the order of the ids. torchvision's names are the first of the words, with a few exceptions.
    """
    if not len(known) == len(found) == IMAGENET_CLASSES:
        return False
    ids = all(WORDNET_ID.fullmatch(name) for name in found)
    alike = sum(name in words for name, words in zip(known, found, strict=True))
    return (ids and known[0] == "tench") or alike >= 0.9 * IMAGENET_CLASSES


def match_classes(parts: Parts, known: Sequence[str], data: str, *, skip_unknown: bool) -> Parts:
    """The parts with the numbers that the network gives the classes, found by their names.

    Raises:
        DataError: there are images of classes that it does not know.
    """
    if same_classes(known, parts.class_names):
        return replace(parts, class_names=tuple(known))
    numbers = {_plain(name): number for number, name in enumerate(known)}
    for number, name in enumerate(known):  # "tench, Tinca tinca" is also called by either of its words
        for word in name.split(",") if len(known) == IMAGENET_CLASSES else ():
            numbers.setdefault(_plain(word), number)
    found = np.array([_number(name, numbers) for name in parts.class_names], np.int64)
    unknown = _counts(parts, found)
    if unknown and (not skip_unknown or (found < 0).all()):
        raise _other_classes(known, parts, unknown, data)
    train, val, test = (_renumbered(part, found) for part in (parts.train, parts.val, parts.test))
    assert train is not None
    assert val is not None
    notes = _notes_of_classes(known, found, unknown)
    tested = test if test is not None and len(test) else None
    return replace(parts, train=train, val=val, test=tested, class_names=tuple(known), notes=(*parts.notes, *notes))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _number(name: str, numbers: dict[str, int]) -> int:
    """The number of the class called `name` or, of several words for it, by the first that is known; else -1."""
    return next((numbers[_plain(each)] for each in (name, *name.split(",")) if _plain(each) in numbers), -1)


def _counts(parts: Parts, found: Indices) -> dict[str, int]:
    """How many images there are of each class that the network does not know."""
    every = torch.cat([part.labels for part in (parts.train, parts.val, parts.test) if part is not None])
    counts = torch.bincount(every, minlength=len(parts.class_names)).tolist()
    return {name: counts[place] for place, name in enumerate(parts.class_names) if found[place] < 0 and counts[place]}


def _renumbered(part: Part | Photos | None, found: Indices) -> Part | Photos | None:
    if part is None:
        return None
    labels = found[part.labels.numpy()]
    known = np.flatnonzero(labels >= 0)
    return replace(choose(part, known), labels=torch.from_numpy(labels[known]))


def _notes_of_classes(known: Sequence[str], found: Indices, unknown: dict[str, int]) -> tuple[str, ...]:
    notes = []
    if unknown:
        shown = some_names([f"{name} ({count:,} images)" for name, count in unknown.items()])
        notes.append(f"left out, classes that the network does not know: {shown}")
    there = set(found.tolist())
    if missing := [name for number, name in enumerate(known) if number not in there]:
        notes.append(f"no images of {len(missing)} of the network's {len(known)} classes: {some_names(missing)}")
    return tuple(notes)


def _other_classes(known: Sequence[str], parts: Parts, unknown: dict[str, int], data: str) -> DataError:
    counts = some_names([f"{name} ({count:,} images)" for name, count in unknown.items()])
    found = {_plain(name) for name in parts.class_names}
    missing = [name for name in known if _plain(name) not in found]
    close = {name: near[0] for name in unknown if (near := get_close_matches(name, missing, 1, CLOSE))}
    hint = f"; is {' and '.join(f'{name} {other}' for name, other in close.items())}?" if close else ""
    absent = f"; missing: {some_names(missing)}" if missing else ""
    rest = ", or leave these images out: --skip-unknown" if len(unknown) < len(parts.class_names) else ""
    return DataError(
        f"the network was trained for the classes {some_names(known)}; unknown to it in {data}: {counts}{absent}{hint}"
        f"; call the classes as the network does{rest}"
    )


def some_names(names: Sequence[str]) -> str:
    """The first few names, and how many there are in all where more are left out."""
    more = f", … ({len(names)} in all)" if len(names) > SHOWN_CLASSES else ""
    return ", ".join(names[:SHOWN_CLASSES]) + more
