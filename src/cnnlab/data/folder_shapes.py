"""What the folders of a data set are to each other, by their names and what they hold: parts, classes, copies."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from cnnlab.data.decode import printable
from cnnlab.data.part_names import (
    goes_with_images,
    is_part_name,
    is_unlabelled,
    never_a_class,
    part_in_name,
    part_of_name,
    parts_of_names,
)
from cnnlab.data.tree import Folder
from cnnlab.errors import DataError
from cnnlab.types import Split

_NUMBERED = re.compile(
    r".*(part|fold|batch|chunk|images?|archive|dis[ck]|folder|data|dataset|set|split)[\s._-]*\d+", re.I
)


def without_copies(parent: Folder) -> tuple[tuple[Folder, ...], tuple[Folder, ...]]:
    """Tell the filled folders in `parent` from those that hold the same once more: flowers/rose and flowers/flowers.

    `train/cat` and `cat`, side by side, are no copies.
    """
    folders, copies = parent.filled, []
    for folder in folders:
        beside = {each.name for each in folders} - {folder.name}
        may_be = folder.name == parent.name or not is_part_name(folder.name)
        if len(beside) > 1 and may_be and beside <= {each.name for each in folder.filled}:
            copies.append(folder)
    return tuple(each for each in folders if each not in copies), tuple(copies)


def wrapped(base: Folder, filled: Sequence[Folder]) -> Folder | None:
    """The one folder of `base` that holds all images in further folders, and is no part; None where there is none.

    Images without classes may lie beside it, in a folder called so: `labeled` and `unlabeled`.
    """
    labelled = [each for each in filled if not is_unlabelled(each.name)]
    if base.images or len(labelled) != 1 or (len(filled) > 1 and part_of_name(labelled[0].name) is not None):
        return None
    only = labelled[0]
    if part_of_name(only.name) is not None and len(set(parts_of_names(each.name for each in only.filled).values())) < 2:
        return None
    return only if only.filled or never_a_class(only.name) else None


def parts_of(folders: Sequence[Folder]) -> dict[Split, Folder]:
    """Tell which of the folders side by side are parts; none where the only one is a class of trains.

    Raises:
        DataError: two folders are the same part.
    """
    names = parts_of_names(each.name for each in folders)
    found: dict[Split, Folder] = {}
    for split in Split:
        meant = [each for each in folders if names.get(each.name) is split]
        by_class = [each for each in meant if content(each).filled] or [each for each in meant if each.num_images]
        if len(by_class) > 1:
            raise DataError(
                f"{' and '.join(printable(each.path) for each in by_class)} are each read as the part {split}; put "
                "them together, or move one away"
            )
        if meant:
            found[split] = (by_class or meant)[0]
    return {} if _is_class_of_trains(folders, found) else found


def _is_class_of_trains(folders: Sequence[Folder], parts: dict[Split, Folder]) -> bool:
    """Whether a folder `train` holds images and no folders, and lies among folders of other things."""
    train = parts.get(Split.TRAIN)
    if len(parts) > 1 or train is None or train.name.lower() != "train" or train.filled or not train.images:
        return False
    beside = [each for each in folders if each.num_images and each is not train]
    return any(not never_a_class(each.name) and not is_unlabelled(each.name) for each in beside)


def content(part: Folder) -> Folder:
    """The folder inside a part that holds its classes or images: train/train/cat, val/images/1.jpg."""
    while not part.images and len(part.filled) == 1:
        only = part.filled[0]
        same = only.name == part.name or (
            is_part_name(only.name) and part_of_name(only.name) is part_of_name(part.name)
        )
        if not (only.filled or never_a_class(only.name) or same):
            break
        part = only
    return part


def is_class_first(filled: Sequence[Folder]) -> bool:
    """Whether folders hold parts, and nothing else: cat/train, cat/test, dog/train, dog/test."""
    inside = [part for each in filled for part in each.filled]
    return (
        len(filled) > 1
        and all(each.filled and not each.images for each in filled)
        and all(part_of_name(part.name) is not None for part in inside)
    )


def pictures_of(folder: Folder, names: Collection[str]) -> Folder:
    """The folder inside a class that holds its pictures, one of `names`, where masks and such lie beside it.

    That is the class itself, where it is not so.
    """
    pictures = [each for each in folder.filled if each.name.lower() in names]
    if folder.images or len(pictures) != 1 or not all(goes_with_images(each.name) for each in folder.filled):
        return folder
    return pictures[0]


def common_folders(filled: Sequence[Folder]) -> list[str]:
    """The names of folders that all of `filled` hold, where these are most of what each holds; else none."""
    if len(filled) < 2 or any(each.images or all(goes_with_images(i.name) for i in each.filled) for each in filled):
        return []
    names = [{each.name for each in folder.filled} for folder in filled]
    common = set.intersection(*names)
    return sorted(common) if len(common) > 1 and 2 * len(common) >= max(map(len, names)) else []


def is_deep(folder: Folder) -> bool:
    """Whether a folder holds several folders of images, and no images itself."""
    return len(folder.filled) > 1 and not folder.images


def unclear_parts(filled: Sequence[Folder]) -> list[str]:
    """The names of parts among folders by class; a longer name that speaks of one is unclear beside a data set.

    `train` may be a class of trains, and `bullet_train` too.
    """
    named = [each.name for each in filled if part_of_name(each.name) is not None]
    unclear = [name for name in named if name.lower() != "train"]
    if any(map(is_deep, filled)):
        unclear += [each.name for each in filled if part_in_name(each.name) is not None and each.name not in unclear]
    return unclear


def data_set_inside(filled: Sequence[Folder]) -> Folder | None:
    """The first of folders, as they would be classes, that holds parts with folders by class: a data set of its own."""
    for folder in filled:
        inner = folder
        while not inner.images and len(inner.filled) == 1:
            inner = inner.filled[0]
        if any(content(each).filled for each in parts_of(inner.filled).values()):
            return folder
    return None


def is_numbered(name: str) -> bool:
    """Whether a folder's name numbers pieces of a data set, rather than says what is on its images: `part_2`."""
    return _NUMBERED.fullmatch(name) is not None
