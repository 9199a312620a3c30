"""What lies in a folder of images: every image's path, class and split, before any is opened.

Two layouts are known: `train/<class>/*` with `val/` (or `valid/`, `validation/`) and `test/` beside it
where there are such parts, and `<class>/*` alone, which is then divided by class and seed. Images may
lie deeper inside a class folder. `val/` may also hold its images flat, with a list of their classes
(`imagenet.py`). What `walk.py` leaves out, and files with endings other than an image's, are named and left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.data.imagenet import flat_labels, shown_lists
from cnnlab.data.splits import fraction_of, hold_out
from cnnlab.data.walk import LeftOut, folders, suffix, told, told_of_others, walk, why_left_out
from cnnlab.errors import DataError
from cnnlab.types import Split

LAYOUT = "expected train/<class>/*.jpg with val/ and test/ like it, or <class>/*.jpg alone"

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
}


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


def scan(folder: Path) -> Listing:
    """List the images of `folder`, which has one of the two layouts; none is opened.

    Raises `DataError` when there are no class folders, or a class of train is empty.
    """
    train = folder / "train"
    # A folder "train" without folders inside is a class of trains.
    if not (train.is_dir() and _folders(train, folder)):
        return _scan_classes(folder, folder, None)
    beside = _folders(folder, folder)
    classes = _scan_classes(train, folder, Split.TRAIN)
    parts = [path for path in beside if _is_split(path) and path != train]
    found = [classes, *(_scan_part(path, folder, classes.entries) for path in parts)]
    others = [printable(path.name) for path in beside if not _is_split(path)]
    notes = [*told(folder, folders(folder, folder).left_out), *(note for listing in found for note in listing.notes)]
    if others:
        notes.append(f"{folder}: left alone, being no split: {', '.join(others)}")
    return Listing(tuple(entry for listing in found for entry in listing.entries), tuple(notes))


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
    if not any(entry.split is Split.VAL for entry in filled):
        count = sum(entry.split is Split.TRAIN for entry in filled)
        share = fraction_of(count, val_fraction) if val_fraction else 0
        _move(filled, share if val_images is None else val_images, Split.VAL, seed)
    return tuple(filled)


def class_names(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Give the names of the classes of train, sorted.

    Raises `DataError` when there are fewer than two, when two differ only in case, when one is not
    UTF-8, or when val or test has a class that train lacks.
    """
    by_split: dict[Split | None, set[str]] = {split: set() for split in Split}
    for entry in entries:
        by_split[entry.split].add(entry.label)
    names = sorted(by_split[Split.TRAIN])
    shown = ", ".join(map(printable, names)) or "none"
    if len(names) < 2:
        raise DataError(f"train has {len(names)} class ({shown}); training needs two at least; {LAYOUT}")
    alike = [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]
    if alike:
        raise DataError(f"classes that differ only in case: {', '.join(alike)}; rename or merge them")
    if unreadable := [printable(name) for name in names if printable(name) != name]:
        raise DataError(f"class names that are not UTF-8: {', '.join(unreadable)}; rename their folders")
    for split in (Split.VAL, Split.TEST):
        if strangers := sorted(by_split[split] - set(names)):
            raise DataError(
                f"{split} has classes that train lacks: {', '.join(map(printable, strangers))}; train has: {shown}"
            )
    return tuple(names)


def _scan_classes(parent: Path, root: Path, split: Split | None) -> Listing:
    entries: list[Entry] = []
    others: list[str] = []
    left_out = folders(parent, root).left_out
    for folder in _folders(parent, root):
        found = walk(folder, root)
        images = [path for path in found.files if suffix(path) in SUFFIXES]
        others += found.files
        left_out += [LeftOut(f"{folder.name}/{each.path}".removesuffix("/."), each.why) for each in found.left_out]
        if not images and split in (None, Split.TRAIN):
            raise _empty_class(folder, found.left_out)
        below = folder.relative_to(root).as_posix()
        entries += [Entry(f"{below}/{path}", folder.name, split) for path in images]
    if not entries and split in (None, Split.TRAIN):
        raise _no_classes(parent)
    return Listing(tuple(entries), (*told(parent, left_out), *told_of_others(parent, others)))


def _empty_class(folder: Path, left_out: Sequence[LeftOut]) -> DataError:
    name = printable(folder.name)
    if left_out and left_out[0].path == ".":
        return DataError(f"class {name!r}: its folder {left_out[0].why}; make it readable (chmod), or remove it")
    seen = "".join(f"\n  - {note}" for note in told(folder, left_out))
    return DataError(
        f"class {name!r} is empty: {printable(str(folder))} has no image ({', '.join(SUFFIXES)}); add images or remove "
        f"the folder{seen}"
    )


def _scan_part(part: Path, root: Path, train: Sequence[Entry]) -> Listing:
    """List a part beside train: in folders by class, or flat with a list of its classes."""
    split = SPLIT_NAMES[part.name]
    if _folders(part, root):
        return _scan_classes(part, root, split)
    names = (path.name for path in part.iterdir() if suffix(path.name) in SUFFIXES)
    files = sorted(name for name in names if not why_left_out(name, is_folder=False))
    if not files:
        return Listing(())
    labels = flat_labels(root, part.name, files, sorted({entry.label for entry in train}))
    if labels is not None:
        return Listing(tuple(Entry(f"{part.name}/{file}", labels[file], split) for file in files))
    found = f"{part} has {len(files)} images without class folders, and no list of their classes"
    if split is Split.VAL:
        raise DataError(f"{found}; accepted: {part.name}/<class>/*, or one of {shown_lists(part.name)} in {root}")
    return Listing((), (f"{found}: left alone",))


def _no_classes(folder: Path) -> DataError:
    seen = sorted(printable(path.name) for path in folder.iterdir())
    shown = ", ".join(seen[:8]) + (", …" if len(seen) > 8 else "")
    hint = ""
    if any(name.startswith(("data_batch_", "cifar-10")) for name in seen):
        hint = "; for the files of CIFAR-10, name the data set cifar10 and give this folder as its source"
    return DataError(f"{folder} has no class folders with images; it has: {shown or 'nothing'}; {LAYOUT}{hint}")


def _folders(parent: Path, root: Path) -> list[Path]:
    """List the folders in `parent` by name that may be classes or parts; see `walk.folders`."""
    return [parent / name for name in folders(parent, root).files]


def _is_split(path: Path) -> bool:
    return path.name in SPLIT_NAMES


def _move(entries: list[Entry], num_images: int, split: Split, seed: int) -> None:
    """Move about `num_images` entries of train to `split`, in place, every class by its share."""
    places = [i for i, entry in enumerate(entries) if entry.split is Split.TRAIN]
    numbers = {label: i for i, label in enumerate(sorted({entries[i].label for i in places}))}
    labels = np.array([numbers[entries[i].label] for i in places], dtype=np.int64)
    for place in hold_out(labels, num_images, seed)[1]:
        entries[places[place]] = replace(entries[places[place]], split=split)
