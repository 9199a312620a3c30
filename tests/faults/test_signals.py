"""Signals during real trainings."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.errors import InterruptedRunError
from cnnlab.train.checkpoint import list_checkpoints
from cnnlab.train.loop import fit
from cnnlab.train.saver import Saver
from cnnlab.train.watch import Moment, Watch
from tests.faults.test_numbers import SMALL
from tests.train.conftest import TrainingIn

pytestmark = pytest.mark.faults


class SignalAt(Watch):
    """Sends signals to this very process after a step."""

    def __init__(self, step: int, *numbers: signal.Signals) -> None:
        self.step, self.numbers = step, numbers

    def stepped(self, moment: Moment) -> None:
        for number in self.numbers if moment.step == self.step else ():
            os.kill(os.getpid(), number)


def test_sigusr1_saves_and_goes_on(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(SMALL, steps=6), watch=SignalAt(3, signal.SIGUSR1))
    training.saver = Saver(tmp_path / "run" / "checkpoints", keep=9)
    fit(training)
    kept = [each.name for each in list_checkpoints(tmp_path / "run" / "checkpoints")]
    assert "step-00000003" in kept
    assert training.clock.done


def test_a_scheduler_that_also_sends_sigusr1_does_not_end_what_saves(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = SignalAt(3, signal.SIGTERM, signal.SIGUSR1)
    training = training_in(tmp_path / "run", replace(SMALL, steps=6), watch=watch)
    with pytest.raises(InterruptedRunError) as caught:
        fit(training)
    assert caught.value.exit_code == 75
    assert [each.name for each in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000003"]
