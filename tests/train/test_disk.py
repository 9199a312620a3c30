import os
from pathlib import Path

import pytest

from cnnlab.train.disk import Disk, replace_file


def test_a_disk_writes_syncs_renames_and_removes(tmp_path: Path) -> None:
    disk, folder = Disk(), tmp_path / "folder"
    disk.make_folder(folder)
    disk.write(folder / "a", b"one")
    disk.sync(folder / "a")
    disk.sync(folder)
    disk.rename(folder / "a", folder / "b")
    assert (folder / "b").read_bytes() == b"one"
    disk.remove(folder)
    disk.remove(tmp_path / "never there")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        replace_file(tmp_path / "file", data, Disk())
        assert (tmp_path / "file").read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


class FullDisk(Disk):
    """Half of the bytes, and no more."""

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data[: len(data) // 2])
        raise OSError(28, os.strerror(28))


def test_what_cannot_be_replaced_stays_and_nothing_lies_about(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "file", b"new", FullDisk())
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"file": b"old"}
