"""Which part each image of folders by class belongs to, by lists beside them: Food-101's train.txt and test.txt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.data.decode import printable
from cnnlab.data.file_index import FileIndex
from cnnlab.data.label_lists import LabelList, read_labels
from cnnlab.data.manifest import is_manifest
from cnnlab.data.part_names import part_in_name
from cnnlab.errors import DataError
from cnnlab.types import Split

_SHOWN = 5


@dataclass(frozen=True)
class ByLists:
    """What lists say of images, {path: part}; the `used` ones, and how they were read, in notes."""

    parts: Mapping[str, Split]
    used: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def parts_by_lists(paths: Sequence[str], lists: Sequence[Path]) -> ByLists:
    """Read the parts of the images `paths` from those of `lists` that name parts, in their names or in a column.

    A manifest, as `cnnlab data split` writes it, counts where it is named, not where it lies. Nothing is read from a
    list alone that names the images of train, from lists that contradict each other, and from
    one most of whose images are elsewhere: they may be about something else. Without a list of train, what the others
    do not name is train; with one, it is in no part.
    """
    index = FileIndex(paths)
    found = [each for path in lists if (each := _read(path, index)) is not None]
    parts: dict[str, Split] = {}
    for each in found:
        for path, split in _parts(each).items():
            if parts.setdefault(path, split) is not split:
                shown = ", ".join(printable(str(other.path)) for other in found)
                why = f"{printable(path)} is in {parts[path]} and in {split}"
                return ByLists({}, notes=(f"parts not read from {shown}, as they contradict each other: {why}",))
    splits = set(parts.values())
    if not splits or splits == {Split.TRAIN}:
        return ByLists({})
    rest = [path for path in paths if path not in parts]
    if Split.TRAIN not in splits:
        parts.update(dict.fromkeys(rest, Split.TRAIN))
        rest = []
    if Split.TRAIN not in parts.values():
        return ByLists({})
    notes = [f"parts read from {', '.join(printable(str(each.path)) for each in found)}; classes from the folders"]
    notes += [f"{len(rest):,} images that none of these lists names are left alone: {_some(rest)}"] if rest else []
    return ByLists(parts, tuple(each.path for each in found), tuple(notes))


def _read(path: Path, index: FileIndex) -> LabelList | None:
    """The list at `path`, where it says parts of images that are there, and not mostly of others; else None."""
    if is_manifest(path):
        return None
    try:
        found = read_labels(path, index)
    except DataError:  # what it says of classes does not matter here
        return None
    if found is None or not (parts := _parts(found)) or len(found.missing) > len(parts):
        return None
    return found


def _parts(found: LabelList) -> dict[str, Split]:
    own = part_in_name(found.path.stem)
    images = [*found.labels, *sorted(found.unlabelled)]
    return {path: part for path in images if (part := found.parts.get(path) or own) is not None}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(printable, names[:_SHOWN])) + more
