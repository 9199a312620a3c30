from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cnnlab.errors import NonFiniteLossError
from cnnlab.train.bad_step import OnBadStep
from cnnlab.train.loop import Training, fit
from cnnlab.train.watch import Watch
from tests.train.conftest import TrainingIn
from tests.train.training import same, weights, with_lr


class Hearing(Watch):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def said(self, message: str) -> None:
        self.heard.append(message)


def copies(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in weights(training).items()}


def test_a_loss_that_is_no_number_stops_at_that_step_and_keeps_the_last_good_checkpoint(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    training = training_in(tmp_path / "run", with_lr(1e30))
    training.step()
    training.save()
    good = copies(training)
    with pytest.raises(NonFiniteLossError) as caught:
        fit(training)
    message = str(caught.value)
    assert "learning rate" in message
    assert "step-00000001" in message
    note = json.loads((tmp_path / "run" / "bad-step.json").read_text())
    assert note["step"] == training.clock.step
    assert len(note["indices"]) == 16
    training.run.close()
    resumed = training_in(tmp_path / "run", training.recipe, resume=True)
    resumed.restore("last")
    assert same(weights(resumed), good)


def test_a_rule_to_skip_leaves_every_bad_step_out_and_the_weights_as_they_were(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    watch = Hearing()
    training = training_in(tmp_path / "run", with_lr(1e30), watch=watch, on_bad_step=OnBadStep("skip"))
    training.step()
    good = copies(training)
    fit(training)
    assert training.progress.bad_steps == list(range(1, 8))
    assert sum("this batch is left out" in each for each in watch.heard) == 7
    assert same(weights(training), good)


def test_a_rule_to_roll_back_goes_to_the_checkpoint_as_often_as_it_says(
    training_in: TrainingIn, tmp_path: Path
) -> None:
    watch = Hearing()
    training = training_in(tmp_path / "run", with_lr(1e30), watch=watch, on_bad_step=OnBadStep("rollback", 2))
    begun = copies(training)
    with pytest.raises(NonFiniteLossError, match="at step 5"):  # each time back, the next step is a good one
        fit(training)
    assert [each.rpartition(" ")[2] for each in watch.heard if "left out" in each] == ["step-00000000"] * 2
    training.restore("last")
    assert same(weights(training), begun)
