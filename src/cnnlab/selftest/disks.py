"""Disks that fail, kill, or lose what was not made safe, each in the place of the real one (`cnnlab.train.disk`)."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.train.disk import Disk


class PowerCutError(Exception):
    """The power is gone: nothing that comes after this happens."""


@dataclass(frozen=True)
class Call:
    """One thing asked of a disk: which of its functions, the path, and what else it was given."""

    what: str
    path: Path
    data: bytes = b""
    new: Path | None = None


class WatchedDisk(Disk):
    """The real disk, with `before` called ahead of each call; `calls` are those that were made."""

    def __init__(self, before: Callable[[int, Call], None] = lambda number, call: None) -> None:
        self.calls: list[Call] = []
        self._asked = 0
        self._before = before

    def make_folder(self, path: Path) -> None:
        """As the real disk."""
        self._note(Call("make_folder", path))
        super().make_folder(path)

    def write(self, path: Path, data: bytes) -> None:
        """As the real disk."""
        self._note(Call("write", path, data))
        super().write(path, data)

    def sync(self, path: Path) -> None:
        """As the real disk, but that it does not wait."""
        self._note(Call("sync", path))

    def rename(self, old: Path, new: Path) -> None:
        """As the real disk."""
        self._note(Call("rename", old, new=new))
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        """As the real disk."""
        self._note(Call("remove", path))
        super().remove(path)

    def _note(self, call: Call) -> None:
        self._asked += 1
        self._before(self._asked - 1, call)
        self.calls.append(call)


def failing_disk(number: int, code: int) -> WatchedDisk:
    """A disk whose call `number`, from 0, fails with the system's error `code`; a write leaves half of its bytes."""

    def fail(at: int, call: Call) -> None:
        if at == number:
            if call.what == "write":
                call.path.write_bytes(call.data[: len(call.data) // 2])
            raise OSError(code, os.strerror(code), str(call.path))

    return WatchedDisk(fail)


def killing_disk(number: int) -> WatchedDisk:
    """A disk that kills this process by SIGKILL ahead of call `number`; half of a write is done by then."""

    def kill(at: int, call: Call) -> None:
        if at == number:
            if call.what == "write":
                call.path.write_bytes(call.data[: len(call.data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    return WatchedDisk(kill)


def cut_disk(number: int) -> WatchedDisk:
    """A disk whose power goes ahead of call `number`; `after_power_cut` says what is left."""

    def cut(at: int, call: Call) -> None:
        if at == number:
            raise PowerCutError

    return WatchedDisk(cut)


# -- what a power cut leaves ----------------------------------------------------------------------------------


@dataclass
class _Node:
    """A file or folder as processes see it, and what of it a power cut cannot take."""

    data: bytes | None = None  # None for a folder
    safe_data: bytes | None = None
    names: dict[str, _Node] = field(default_factory=dict)
    safe_names: dict[str, _Node] = field(default_factory=dict)
    unsafe: list[dict[str, _Node | None]] = field(default_factory=list)  # changes of names, oldest first


def after_power_cut(calls: Sequence[Call], root: Path, into: Path, draw: random.Random) -> None:
    """Write into the folder `into` what is left of `root`, which was empty, when the power goes after `calls`.

    What was synced is there. Of the changes of a folder's names since its last sync, the first few took place, by
    chance; a file whose bytes were not synced is whole, half or empty, by chance.
    """
    tree = _Node()
    for call in calls:
        _apply(tree, call, root)
    _write(tree, into, draw)


def _apply(tree: _Node, call: Call, root: Path) -> None:
    node, name = _find(tree, call.path.relative_to(root).parent), call.path.name
    if call.what == "sync":
        _sync(_find(tree, call.path.relative_to(root)))
    elif call.what == "rename":
        assert call.new is not None
        moved = node.names.pop(name)
        _change(node, {name: None, call.new.name: moved})
    elif call.what == "remove":
        if name in node.names:
            _change(node, {name: None})
    else:
        data = call.data if call.what == "write" else None
        if name in node.names:
            node.names[name].data = data
        else:
            _change(node, {name: _Node(data)})


def _find(tree: _Node, path: Path) -> _Node:
    for name in path.parts:
        tree = tree.names[name]
    return tree


def _change(folder: _Node, changes: dict[str, _Node | None]) -> None:
    """Change names in a folder, all at once."""
    _rename(folder.names, changes)
    folder.unsafe.append(changes)


def _rename(names: dict[str, _Node], changes: dict[str, _Node | None]) -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _sync(node: _Node) -> None:
    node.safe_data, node.safe_names, node.unsafe = node.data, dict(node.names), []


def _write(node: _Node, path: Path, draw: random.Random) -> None:
    if node.data is not None:
        half = node.data[: len(node.data) // 2]
        path.write_bytes(node.data if node.safe_data == node.data else draw.choice([node.data, half, b""]))
        return
    path.mkdir(exist_ok=True)
    names = dict(node.safe_names)
    for changes in node.unsafe[: draw.randint(0, len(node.unsafe))]:
        _rename(names, changes)
    for name, each in names.items():
        _write(each, path / name, draw)
