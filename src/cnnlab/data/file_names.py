"""Classes that files carry in their names: cat.1.jpg and dog.2.jpg, rose_001.png, 7_frog.png, daisy (3).jpg."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cnnlab.data.decode import printable
from cnnlab.data.part_names import is_part_name, never_a_class

MIN_IMAGES, MIN_MEAN_IMAGES = 2, 4
"""The fewest images of a class, and of a class on average, for which names are believed."""

_NUMBER_LAST = re.compile(r"(?P<label>.*?[^\W\d_].*?)[\s._-]*\(?\d+\)?", re.S)
_NUMBER_FIRST = re.compile(r"\(?\d+\)?[\s._-]+(?P<label>[^\W\d].*)", re.S)
_OF_CAMERAS = re.compile(
    r"(img|imgp|image|dsc|dscn|dscf|pict?|picture|photo|pxl|mvimg|frame|screenshot|scan|capture|download|unnamed|untitled"
    r"|whatsapp|p|dji|gopr|file|sample|snapshot|vlcsnap|clip|page|new)([\s._-].*)?",
    re.I,
)
_SHOWN = 5


def classes_by_file_name(names: Sequence[str], known: Collection[str] = ()) -> dict[str, str] | None:
    """The class of each of the files `names`, as {name: class}, where all of them say it; else None.

    All carry a class and a number, in the same order, and no class is one of a camera or a part. There are two classes
    at least, with `MIN_IMAGES` images each and `MIN_MEAN_IMAGES` on average; or else all are among the `known`.
    """
    read = (_read(names, pattern) for pattern in (_NUMBER_LAST, _NUMBER_FIRST))
    found = [
        labels for labels in read if labels and (_believed(labels) if not known else set(labels.values()) <= set(known))
    ]
    return found[0] if len(found) == 1 else None


def shown_reading(names: Sequence[str]) -> str:
    """Say what classes the names of files would give, for a message that refuses them."""
    labels = Counter(label or "none" for label in (_label(name, _NUMBER_LAST) for name in names))
    shown = ", ".join(f"{printable(label)} {count:,}" for label, count in labels.most_common(_SHOWN))
    return shown + (f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else "")


def _read(names: Sequence[str], pattern: re.Pattern[str]) -> dict[str, str] | None:
    labels: dict[str, str] = {}
    for name in names:
        label = _label(name, pattern)
        if label is None:
            return None
        labels[name] = label
    return labels


def _believed(labels: Mapping[str, str]) -> bool:
    counts = Counter(labels.values())
    enough = len(counts) > 1 and min(counts.values()) >= MIN_IMAGES and len(labels) >= MIN_MEAN_IMAGES * len(counts)
    return enough and not any(map(_says_nothing, counts))


def _label(name: str, pattern: re.Pattern[str]) -> str | None:
    match = pattern.fullmatch(os.path.splitext(name)[0])  # noqa: PTH122, a Path for each of a million files takes 20 s
    return match["label"].strip(" ._-") if match else None


def _says_nothing(label: str) -> bool:
    return bool(_OF_CAMERAS.fullmatch(label)) or is_part_name(label) or never_a_class(label)
