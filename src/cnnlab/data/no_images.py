"""Folders that hold no images to classify: what they hold instead, and what to do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.data.listing import LAYOUT
from cnnlab.data.tree import Folder, Tree
from cnnlab.data.walk import suffix
from cnnlab.errors import DataError

ARCHIVES = (".zip", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
"""The endings, in small letters, of packed files, which are not read."""

_SHOWN = 8


def refuse_no_images(folder: Path, tree: Tree) -> None:
    """Refuse a data folder without any image.

    Raises:
        DataError: says what is there, what is accepted, and what to do.
    """
    root = tree.root
    if root.num_images:
        return
    names = [*(f"{each.name}/" for each in root.folders), *root.others]
    shown = ", ".join(map(printable, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    notes = "".join(f"\n  - {note}" for note in tree.notes(folder))
    raise DataError(
        f"{printable(str(folder))} has no class folders with images; it has: {shown or 'nothing'}{_endings(root)}; "
        f"{LAYOUT}{_hint(root.other_paths())}{notes}"
    )


def _endings(root: Folder) -> str:
    """Say by their endings what files lie below."""
    if not root.folders:
        return ""
    counts = Counter(suffix(path) or "no ending" for path in root.other_paths())
    shown = ", ".join(f"{count:,} {printable(ending)}" for ending, count in counts.most_common(5))
    return f" (files in it: {shown}; read are {', '.join(SUFFIXES)})" if shown else ""


def _hint(paths: list[str]) -> str:
    names = [path.rpartition("/")[2] for path in paths]
    if any(name.startswith(("data_batch_", "cifar-10")) for name in names):
        return "; for the files of CIFAR-10, name the data set cifar10 and give this folder as its source"
    if any(name.split(".")[0].endswith(("-ubyte", "idx3-ubyte")) for name in names):
        return "; for the files of MNIST, name the data set mnist and give this folder as its source"
    packed = [name for name in names if suffix(name) in ARCHIVES]
    return f"; unpack {printable(packed[0])} first" if packed else ""


def refuse_boxes(folder: Path, root: Folder) -> None:
    """Refuse a data set for finding things in images: a text file of boxes for each image.

    Raises:
        DataError: says how it was read, and what to do.
    """
    for each in root.walk():
        boxes = [] if each.num_images else [path for path in each.other_paths() if suffix(path) in (".txt", ".xml")]
        if each.name.lower() not in ("labels", "annotations") or not boxes:
            continue
        stems = {path.rpartition("/")[2].rpartition(".")[0] for path in boxes}
        images = [name.rpartition(".")[0] for beside in root.walk() for name in beside.images]
        if sum(stem in stems for stem in images) > len(stems) // 2:
            example = boxes[0].rpartition("/")[2]
            raise DataError(
                f"{printable(str(folder))} is a data set for detection: {printable(each.path)} has {len(boxes):,} "
                f"files for single images, such as {printable(example)}. cnnlab says what a whole image shows: put the "
                f"images, or what the boxes cut out, into folders by class; {LAYOUT}"
            )
