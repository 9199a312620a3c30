"""The only walk through folders of images: what lies below one, and what of it is left out and why.

Linked folders are entered, wherever they lead, but none twice, and none that leads back into the folder walked through.
What systems put beside photos (thumbnails of a NAS, resource forks of macOS, lists of Windows) is left out.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.data.decode import SUFFIXES, printable

_SYSTEM_FOLDERS = {
    "@eadir": "thumbnails of a Synology NAS",
    ".@__thumb": "thumbnails of a QNAP NAS",
    ".thumbnails": "thumbnails",
    "__macosx": "resource forks of macOS",
    "$recycle.bin": "the recycle bin of Windows",
    "#recycle": "the recycle bin of a Synology NAS",
    "@recycle": "the recycle bin of a QNAP NAS",
    "system volume information": "records of Windows",
    "lost+found": "records of the file system",
    "__pycache__": "bytecode of Python",
}
_SYSTEM_FILES = {
    "thumbs.db": "thumbnails of Windows",
    "ehthumbs.db": "thumbnails of Windows",
    "desktop.ini": "folder settings of Windows",
    ".ds_store": "folder settings of macOS",
    "icon\r": "folder settings of macOS",
}
_RESOURCE_FORK = "resource forks of macOS"
_HIDDEN = "hidden, their names beginning with a dot"
_BACK = "a link back to a folder around it"
_SHOWN = 3


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is left out: its path below the folder that was asked for, with /, and why."""

    path: str
    why: str


@dataclass
class Walk:
    """The files and folders below a folder, by path, relative to it and with /; and what is left out."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def walk(folder: Path, root: Path | None = None) -> Walk:
    """Find every file below `folder`, whatever its ending; the data folder `root` around it is not entered by links.

    A folder that cannot be read is left out, with the system's reason.
    """
    found = Walk()
    real_root = os.path.realpath(root or folder)
    entered: set[tuple[int, int]] = set()
    pending = [(os.fspath(folder), "")]
    while pending:
        place, below = pending.pop()
        try:
            status = os.stat(place)  # noqa: PTH116, a pathlib path for each folder and file is many times slower
            if (status.st_dev, status.st_ino) in entered:
                found.left_out.append(LeftOut(below, "a link to a folder that is read already"))
                continue
            entered.add((status.st_dev, status.st_ino))
            found.folders += [below.removesuffix("/")] if below else []
            entries = list(os.scandir(place))
        except OSError as error:
            found.left_out.append(LeftOut(below or ".", _cannot_be_read(error)))
            continue
        pending += _sort_out(entries, below, real_root, found)
    found.files.sort(key=lambda path: path.split("/"))
    found.folders.sort()
    found.left_out.sort(key=lambda each: each.path)
    return found


def _sort_out(entries: Iterable[os.DirEntry[str]], below: str, root: str, found: Walk) -> list[tuple[str, str]]:
    """Put the entries of a folder into `found`; returns folders to enter, the last first: real ones before links."""
    inside: list[tuple[bool, str, str]] = []
    for entry in entries:
        path = below + entry.name
        is_folder = _is_folder(entry)
        why = why_left_out(entry.name, is_folder=is_folder)
        if why is None and is_folder and entry.is_symlink():
            why = _why_not_followed(os.path.realpath(entry.path), root)
        elif why is None and entry.is_symlink() and suffix(path) not in SUFFIXES and not os.path.exists(entry.path):  # noqa: PTH110
            why = "a link that leads nowhere; is its disk connected?"  # one to an image is named when it is read
        if why is not None:
            found.left_out.append(LeftOut(path, why))
        elif is_folder:
            inside.append((entry.is_symlink(), entry.path, path + "/"))
        else:
            found.files.append(path)
    return [(place, path) for _, place, path in sorted(inside, reverse=True)]


def images_below(folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """Find the images below `folder` by their endings: paths relative to it, with /, and notes of what is left out."""
    found = walk(folder)
    images = [path for path in found.files if suffix(path) in SUFFIXES]
    return images, (*told(folder, found.left_out), *told_of_others(folder, found.files))


def suffix(path: str) -> str:
    """Give the ending of a path in small letters, with its dot."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122, a pathlib path for each of a million files takes 20 s


def told_of_others(folder: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Say in a line how many of `files` are no images by their endings; nothing where all are."""
    others = Counter(suffix(path) or "no ending" for path in files)
    counts = ", ".join(
        f"{count} {printable(ending)}" for ending, count in others.most_common() if ending not in SUFFIXES
    )
    return (f"{printable(str(folder))}: left alone, being no images by their endings: {counts}",) if counts else ()


def why_left_out(name: str, *, is_folder: bool) -> str | None:
    """Say why a file or folder of this name is no photo or class of anybody's; None where it may be one."""
    known = (_SYSTEM_FOLDERS if is_folder else _SYSTEM_FILES).get(name.lower())
    if known is not None:
        return known
    if not is_folder and name.startswith("._"):
        return _RESOURCE_FORK
    return _HIDDEN if name.startswith(".") else None


def told(folder: Path, left_out: Iterable[LeftOut]) -> tuple[str, ...]:
    """Say in a line for each reason what of `folder` is left out: how many, and the first by name."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for each in left_out:
        by_reason[each.why].append(each.path)
    where = printable(str(folder))
    return tuple(f"{where}: left out, {why}: {_shown(sorted(paths))}" for why, paths in sorted(by_reason.items()))


def _shown(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(printable(path.rstrip("/")) for path in paths[:_SHOWN]) + more


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into what may not be looked at: named when it is read
        return False


def _why_not_followed(target: str, root: str) -> str | None:
    if _lies_in(root, target):
        return _BACK
    return "a link to another place in the same folder" if _lies_in(target, root) else None


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _cannot_be_read(error: OSError) -> str:
    return f"cannot be read ({error.strerror or type(error).__name__})"
