"""Images that do not lie in folders by class: their classes come from a list beside them, or from their own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.data.class_names import classes_of_labels
from cnnlab.data.decode import printable
from cnnlab.data.file_index import FileIndex
from cnnlab.data.file_names import classes_by_file_name, shown_reading
from cnnlab.data.imagenet import ground_truth_labels, solution
from cnnlab.data.label_lists import LabelList, candidates, read_labels
from cnnlab.data.part_names import part_in_name, part_of_name
from cnnlab.data.tables import SPREADSHEETS
from cnnlab.data.tree import Folder
from cnnlab.errors import DataError
from cnnlab.types import Split

_SHOWN = 5
_OTHER_LISTS = (".json", ".jsonl", ".mat", ".parquet", ".pkl")


@dataclass(frozen=True)
class Flat:
    """Images and what is known of them: {path: class}, {path: part}, and how both were read, in notes."""

    labels: Mapping[str, str]
    parts: Mapping[str, Split]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Beside:
    """What lies around flat images: the data folder `root`, the `folders` where lists may lie, and `all` in it.

    `ignore` is no list.
    """

    root: Path
    folders: tuple[Folder, ...]
    all: Folder
    ignore: Path | None = None

    def lists(self) -> list[Path]:
        """The files that may be lists of classes, by name, but for the one to ignore."""
        found = candidates([self.root / folder.path for folder in self.folders])
        return [path for path in found if self.ignore is None or path.resolve() != self.ignore.resolve()]


def read_flat(folder: Folder, split: Split | None, beside: Beside, classes: Sequence[str] = ()) -> Flat | None:
    """Find the classes of the images in `folder`, which is the part `split` or no part; None where nothing says them.

    `classes` are those of train, where they are known.

    Raises:
        DataError: what says the classes contradicts itself or `classes`, or can be read in two ways.
    """
    paths = folder.image_paths()
    lists = _lists(paths, split, beside)
    if any(each.labels for each in lists):
        if split not in (Split.VAL, Split.TEST):  # these need a line for each
            _refuse_few(lists, len(paths))
        return _by_lists(folder, paths, split, [each for each in lists if each.labels], beside, classes)
    names = {path: path.rpartition("/")[2] for path in paths}
    if (
        split is not Split.TRAIN
        and classes
        and (kit := ground_truth_labels(beside.root, split, sorted(names.values()), classes))
    ):
        return Flat({path: kit[name] for path, name in names.items()}, {}, ())
    labels = classes_by_file_name(list(names.values()), classes)
    if labels is None:
        return None
    example = names[paths[0]]
    note = (
        f"{_shown(beside, folder)}: classes read from the names of files: {printable(example)} is {labels[example]!r}"
    )
    return Flat({path: labels[name] for path, name in names.items()}, {}, (note,))


def _lists(paths: Sequence[str], split: Split | None, beside: Beside) -> list[LabelList]:
    """The lists that name some of `paths`: those called after the part, or else those called after none."""
    index = FileIndex(paths)
    places = [path for path in beside.lists() if _may_be_of(path, split)]
    if split is Split.VAL and (path := solution(beside.root)) is not None:
        places.append(path)
    found = [each for path in dict.fromkeys(places) if (each := read_labels(path, index)) is not None]
    if split in (Split.VAL, Split.TEST):
        found = [each for each in found if not _is_of_others(each, split, paths, beside)]
    own = [each for each in found if split is not None and part_in_name(each.path.stem) is split and each.labels]
    return own or found


def _is_of_others(found: LabelList, split: Split, paths: Sequence[str], beside: Beside) -> bool:
    """Whether a list that is called after no part, and lies in none, names images of other parts by the same names.

    labels.csv with 1, 2, 3 for train/1.jpg says nothing of test/1.jpg.
    """
    inside = (beside.root / paths[0]).is_relative_to(found.path.parent) and found.path.parent != beside.root
    if part_in_name(found.path.stem) is split or (inside and part_of_name(found.path.parent.name) is split):
        return False
    elsewhere = read_labels(found.path, FileIndex(set(beside.all.image_paths()) - set(paths)))
    return elsewhere is not None and len(elsewhere.missing) < len(found.labels) + len(found.unlabelled)


def _may_be_of(path: Path, split: Split | None) -> bool:
    return split is None or part_in_name(path.stem) in (None, split)


def _refuse_few(lists: Sequence[LabelList], count: int) -> None:
    """Refuse lists that have classes of few images, and leave most unnamed: they may be about something else."""
    labelled = {path for each in lists for path in each.labels}
    named = labelled.union(*(each.unlabelled for each in lists))
    if count - len(named) > len(labelled):
        which = ", ".join(printable(str(each.path)) for each in lists if each.labels)
        raise DataError(
            f"{which}: names {len(labelled):,} of {count:,} images, {_some(sorted(labelled))}; is it their list? Add a "
            "line for each image, or move the list away"
        )


def _by_lists(
    folder: Folder,
    paths: Sequence[str],
    split: Split | None,
    lists: Sequence[LabelList],
    beside: Beside,
    classes: Sequence[str],
) -> Flat:
    named = ", ".join(printable(str(each.path)) for each in lists)
    unnamed = [path for path in paths if not any(path in each.labels for each in lists)]
    if unnamed and split in (Split.VAL, Split.TEST):
        raise DataError(f"{named} has no line for {_some(unnamed)}; add them, or move the files away")
    labels: dict[str, tuple[str, str]] = {}
    parts: dict[str, Split] = {}
    for each in lists:
        meant = classes_of_labels(each.first_lines, classes) if classes else {}
        part = part_in_name(each.path.stem) if split is None else None
        for path, (label, where) in each.labels.items():
            before = labels.setdefault(path, (meant.get(label, label), where))
            if before[0] != meant.get(label, label):
                raise DataError(f"{where}: {path!r} is {label!r}, and {before[0]!r} in {before[1]}; give it one class")
            own = each.parts.get(path) or part
            if own is not None and parts.setdefault(path, own) is not own:
                raise DataError(
                    f"{where}: {path!r} is in {own}, and in {parts[path]} by another list; keep one of them"
                )
    notes = [f"{_shown(beside, folder)}: classes read from {named}"]
    notes += [f"{named}: {len(unnamed):,} images without a class, left alone: {_some(unnamed)}"] if unnamed else []
    notes += [note for each in lists for note in _missing(each, beside)]
    if split in (Split.VAL, Split.TEST) and len(paths) > 1 and len({label for label, _ in labels.values()}) == 1:
        notes.append(f"{named}: all {len(paths):,} images are of one class; is it a form that is not filled in yet?")
    return Flat({path: label for path, (label, _) in labels.items()}, parts, tuple(notes))


def _missing(found: LabelList, beside: Beside) -> tuple[str, ...]:
    """Say which images a list names that are nowhere; refuses a list most of which are."""
    if not found.missing:
        return ()
    index = FileIndex(beside.all.image_paths())
    missing = [cell for cell in found.missing if index.find(cell) is None]
    said = f"{printable(str(found.path))} names {len(missing):,} images that are not there: {_some(missing)}"
    if len(missing) > len(found.labels):
        raise DataError(f"{said}; it has {len(found.labels):,} that are: is it the list of other images?")
    return (said,) if missing else ()


def refusal(folder: Folder, split: Split | None, beside: Beside, seen_too: str = "") -> DataError:
    """The error for flat images whose classes nothing says: what was seen (and `seen_too`), and what to do."""
    where, names = _shown(beside, folder), [path.rpartition("/")[2] for path in folder.image_paths()]
    index = FileIndex(folder.image_paths())
    lists = [path for path in beside.lists() if _may_be_of(path, split)]
    without = [path.name for path in lists if read_labels(path, index) is not None]
    strange = [path.name for path in lists if path.name not in without]
    sheets = [
        name for each in beside.folders for name in each.others if name.lower().endswith((*SPREADSHEETS, *_OTHER_LISTS))
    ]
    seen = [
        *([seen_too] if seen_too else []),
        *([f"it is read as the part {split}"] if split else []),
        f"their names give no classes (read as: {shown_reading(names)})",
        *([f"without a column called label: {_some(without)}"] if without else []),
        *([f"naming none of these images: {_some(strange)}"] if strange else []),
        *([f"not read: {_some(sheets)} (save it as .csv with the columns filename,label)"] if sheets else []),
    ]
    stem = split.value if split else "labels"
    kit = ", ImageNet's LOC_val_solution.csv" if split is Split.VAL else ""
    return DataError(
        f"{where} has {len(names):,} images without class folders, and no list of their classes. Seen: "
        f"{'; '.join(seen)}. Accepted: folders {folder.join('<class>')}/*.jpg; or {stem}.csv or {stem}.txt{kit} in "
        f"{printable(str(beside.root))}, a line for each image with its name and class, such as "
        f"{printable(names[0])},cat; or names such as cat.1.jpg"
    )


def _shown(beside: Beside, folder: Folder) -> str:
    return printable(str(beside.root / folder.path))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
