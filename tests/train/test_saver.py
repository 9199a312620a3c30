import threading
import time
from pathlib import Path

import pytest
import torch

from cnnlab.errors import CheckpointError
from cnnlab.train.checkpoint import Checkpoint, list_checkpoints, load, pointed_at, save
from cnnlab.train.disk import Disk
from cnnlab.train.saver import Saver


def made(value: float) -> Checkpoint:
    return Checkpoint({"network": {"weight": torch.full((2, 3, 4, 4), value)}}, {"value": value})


class GatedDisk(Disk):
    """Writes once it is let."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.synced: list[str] = []

    def write(self, path: Path, data: bytes) -> None:
        self.gate.wait(20)
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self.synced.append(path.name)


class BrokenDisk(Disk):
    """Lets no file be written."""

    def write(self, path: Path, data: bytes) -> None:
        raise OSError(5, "Input/output error")


def test_what_is_saved_is_what_was_there_when_it_was_asked_for(tmp_path: Path) -> None:
    disk, checkpoint = GatedDisk(), made(1.0)
    saver = Saver(tmp_path, disk=disk)
    saver.begin(3, checkpoint, best=True)
    checkpoint.tensors["network"]["weight"].fill_(9.0)  # the next step
    assert list_checkpoints(tmp_path) == []
    assert saver.error() is None
    disk.gate.set()
    saver.wait()
    assert float(load(tmp_path / "step-00000003").tensors["network"]["weight"].max()) == 1.0
    assert pointed_at(tmp_path, "best") == tmp_path / "step-00000003"


def test_tensors_in_any_memory_order_come_back(tmp_path: Path) -> None:
    weight = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    saver = Saver(tmp_path)
    saver.begin(1, Checkpoint({"network": {"weight": weight, "step": torch.tensor(4)}}, {}))
    saver.wait()
    read = load(tmp_path / "step-00000001").tensors["network"]
    assert torch.equal(read["weight"], weight)
    assert int(read["step"]) == 4


def test_the_records_are_safe_before_the_checkpoint_is(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    disk = GatedDisk()
    disk.gate.set()
    saver = Saver(tmp_path / "checkpoints", logs=(tmp_path / "metrics.jsonl", tmp_path / "none"), disk=disk)
    saver.begin(1, made(1.0))
    saver.wait()
    assert disk.synced[0] == "metrics.jsonl"
    assert "none" not in disk.synced


def test_an_error_is_told_once_and_the_next_save_is_tried(tmp_path: Path) -> None:
    save(tmp_path, 1, made(1.0))
    saver = Saver(tmp_path, disk=BrokenDisk())
    saver.begin(2, made(2.0))
    deadline = time.monotonic() + 20
    while (error := saver.error()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "step-00000002: Input/output error; earlier checkpoints are untouched" in str(error)
    assert saver.error() is None
    saver.begin(3, made(3.0))
    with pytest.raises(CheckpointError, match="step-00000003"):
        saver.wait()
    saver.wait()
    assert [each.name for each in list_checkpoints(tmp_path)] == ["step-00000001"]
