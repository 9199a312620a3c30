import errno
import random
from pathlib import Path

import pytest

from cnnlab.selftest.disks import PowerCutError, WatchedDisk, after_power_cut, cut_disk, failing_disk
from cnnlab.train.disk import Disk, replace_file


def test_one_call_fails_and_the_next_does_not(tmp_path: Path) -> None:
    disk = failing_disk(1, errno.EIO)
    disk.write(tmp_path / "a", b"whole")
    with pytest.raises(OSError, match="Input/output error"):
        disk.write(tmp_path / "b", b"half")
    assert (tmp_path / "b").read_bytes() == b"ha"
    disk.write(tmp_path / "b", b"whole")
    assert (tmp_path / "b").read_bytes() == b"whole"


def left(calls: WatchedDisk, root: Path, into: Path, seed: int) -> dict[str, bytes]:
    into.mkdir(exist_ok=True)
    after_power_cut(calls.calls, root, into / str(seed), random.Random(seed))
    return {each.name: each.read_bytes() for each in (into / str(seed)).iterdir()}


def test_what_was_synced_is_left_and_the_rest_by_chance(tmp_path: Path) -> None:
    live, disk = tmp_path / "live", WatchedDisk()
    live.mkdir()
    disk.write(live / "safe", b"safe")
    disk.sync(live / "safe")
    disk.sync(live)
    disk.write(live / "unsafe", b"unsafe")
    found = [left(disk, live, tmp_path, seed) for seed in range(40)]
    assert all(each["safe"] == b"safe" for each in found)
    assert {each.get("unsafe") for each in found} == {None, b"", b"uns", b"unsafe"}


def test_a_file_that_is_replaced_is_the_old_one_or_the_new_at_every_moment(tmp_path: Path) -> None:
    for cut in range(9):
        live, disk = tmp_path / f"live{cut}", cut_disk(cut)
        live.mkdir()
        try:
            replace_file(live / "file", b"old", disk)
            replace_file(live / "file", b"new", disk)
        except PowerCutError:
            pass
        seen = {left(disk, live, tmp_path / f"left{cut}", seed).get("file") for seed in range(20)}
        assert seen <= ({None, b"old"} if cut < 4 else {b"old", b"new"})


class Careless(WatchedDisk):
    """Waits for nothing, and says so."""

    def sync(self, path: Path) -> None:
        Disk.sync(self, path)


def test_a_writer_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    disk = Careless()
    (tmp_path / "live").mkdir()
    replace_file(tmp_path / "live" / "file", b"old", disk)
    assert {left(disk, tmp_path / "live", tmp_path, seed).get("file") for seed in range(40)} > {b"old"}
