"""Disks that are full, slow or read-only, and clocks that jump, under real trainings."""

from __future__ import annotations

import ast
import errno
import time
from dataclasses import replace
from pathlib import Path

import pytest

import cnnlab
from cnnlab.selftest.disks import failing_disk
from cnnlab.train.checkpoint import list_checkpoints, problems
from cnnlab.train.disk import Disk
from cnnlab.train.loop import fit
from cnnlab.train.saver import Saver
from tests.faults.test_numbers import SMALL, Said
from tests.train.conftest import TrainingIn

pytestmark = pytest.mark.faults

# A calendar's clock may jump; it only stamps what people read.
STAMPS = {"evaluate/classifier.py", "train/record.py"}


class SlowDisk(Disk):
    """A tenth of a second for each wait."""

    def sync(self, path: Path) -> None:
        time.sleep(0.1)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_training_goes_on_when_a_checkpoint_cannot_be_written(
    training_in: TrainingIn, tmp_path: Path, code: int
) -> None:
    watch, folder = Said(), tmp_path / "run" / "checkpoints"
    training = training_in(tmp_path / "run", replace(SMALL, steps=4), watch=watch)
    training.saver = Saver(folder, disk=failing_disk(3, code))  # the first save; later ones find a disk that works
    training.step()
    training.begin_save()
    fit(training)
    assert any(line.startswith("warning: could not save") for line in watch.lines)
    assert [each.name for each in list_checkpoints(folder)] == ["step-00000004"]
    assert problems(folder / "step-00000004") == []


def test_a_slow_disk_holds_no_step_up(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(SMALL, steps=4))
    training.saver = Saver(tmp_path / "run" / "checkpoints", disk=SlowDisk())
    training.step()
    started = time.monotonic()
    training.begin_save()
    begun = time.monotonic() - started
    training.saver.wait()
    assert begun < (time.monotonic() - started) / 2
    assert time.monotonic() - started > 0.5  # ten waits


def test_no_clock_that_may_jump_decides_anything() -> None:
    package = Path(cnnlab.__file__).parent
    wall = {"time.time", "datetime.now", "datetime.utcnow", "date.today"}
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in wall
    }
    assert found <= STAMPS
