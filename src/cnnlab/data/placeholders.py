"""Pictures that a site gives in place of a photo that is gone: one small file, many times over, in several classes.

Whoever collects photos by their addresses gets "this photo is no longer available" among them, under any label.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cnnlab.data.listing import Entry, Listing
from cnnlab.text import printable

MOST_ENTRIES = 20_000
"""Up to so many images are looked through; the sizes of more take minutes."""

MOST_BYTES = 200_000
LEAST_COPIES, LEAST_CLASSES = 4, 2
ALIKE_IN_A_CLASS = 10
"""So many copies in one class alone are worth a word, though they may be meant."""

_SHOWN = 3


def without_placeholders(folder: Path, listing: Listing) -> Listing:
    """Leave out of `listing` what is four times or more in the data folder, byte for byte, in two classes or more.

    The notes name it. Nothing is left out where a class would have nothing left.
    """
    if len(listing.entries) > MOST_ENTRIES:
        return listing
    copies = _copies(folder, listing.entries)
    strange = [group for group in copies if len({entry.label for entry in group}) >= LEAST_CLASSES]
    gone = {entry.path for group in strange for entry in group}
    kept = tuple(entry for entry in listing.entries if entry.path not in gone)
    notes = tuple(_told(group) for group in copies if group not in strange and len(group) >= ALIKE_IN_A_CLASS)
    if {entry.label for entry in kept} != {entry.label for entry in listing.entries}:
        return replace(listing, notes=(*listing.notes, *notes))
    left_out = tuple(_left_out(group) for group in strange)
    return replace(listing, entries=kept, notes=(*listing.notes, *left_out, *notes))


def _copies(folder: Path, entries: Sequence[Entry]) -> list[list[Entry]]:
    """Groups of small files that are equal, byte for byte, of at least `LEAST_COPIES`."""
    sized = _groups(entries, lambda entry: _size(folder / entry.path))
    return [same for group in sized for same in _groups(group, lambda entry: _content(folder / entry.path))]


def _groups(entries: Iterable[Entry], key: Callable[[Entry], Hashable | None]) -> list[list[Entry]]:
    found: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        if (value := key(entry)) is not None:
            found[value].append(entry)
    return [group for group in found.values() if len(group) >= LEAST_COPIES]


def _size(path: Path) -> int | None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    return size if 0 < size <= MOST_BYTES and path.is_file() else None


def _content(path: Path) -> bytes | None:
    try:
        return hashlib.blake2b(path.read_bytes()).digest()
    except OSError:
        return None


def _left_out(group: Sequence[Entry]) -> str:
    classes = len({entry.label for entry in group})
    return (
        f"{len(group)} copies of one picture are left out, being in {classes} classes, as a site gives in place of a "
        f"photo that is gone: {_shown(group)}"
    )


def _told(group: Sequence[Entry]) -> str:
    label = Counter(entry.label for entry in group).most_common(1)[0][0]
    return f"{len(group)} images of class {printable(label)!r} are one and the same picture: {_shown(group)}"


def _shown(group: Sequence[Entry]) -> str:
    more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
    return ", ".join(printable(entry.path) for entry in group[:_SHOWN]) + more
