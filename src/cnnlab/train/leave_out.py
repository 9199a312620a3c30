"""A bad step of a training is left out: noted, stepped over, and gone back from where the rule says so.

What makes a step bad, and what the rules are, is in `bad_step`; by the time it comes here it has changed nothing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from cnnlab.data.loader import Batch
from cnnlab.data.parts import name_of
from cnnlab.errors import CheckpointError, NonFiniteLossError, command
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.bad_step import MOST_IN_A_ROW, bad_in_a_row, likely_cause
from cnnlab.train.record import BAD_STEP
from cnnlab.train.state import put_back, snapshot

if TYPE_CHECKING:
    from cnnlab.train.loop import Training


def leave_out(training: Training, wrong: str, batch: Batch, epoch: int, lr: float) -> None:
    """Write down what a bad step was, and go on without it, if the rule says so.

    Raises:
        NonFiniteLossError: the rule says to stop, or it has been followed often enough.
    """
    rule, progress, step = training.on_bad_step, training.progress, training.clock.step
    finite_images = _images_are_finite(training, batch)
    _note(training, wrong, batch, epoch, lr, finite_images=finite_images)
    what = f"{wrong} at step {step} (epoch {epoch})"
    again = bad_in_a_row([*progress.bad_steps, step]) > MOST_IN_A_ROW
    if again or rule.action == "stop" or (rule.action == "rollback" and progress.rollbacks == rule.rollbacks):
        cause = likely_cause(step, lr, finite_images=finite_images)
        raise NonFiniteLossError(_why_it_stops(training, what, batch, cause))
    progress.bad_steps.append(step)
    back = f"; weights are back at {_roll_back(training)}" if rule.action == "rollback" else ""
    training.watch.said(f"{what}: this batch is left out{back}")


def _images_are_finite(training: Training, batch: Batch) -> bool:
    """Whether every process's share of a batch holds numbers only."""
    return all(finite for (finite,) in training.team.agree(bool(torch.isfinite(batch.images).all())))


def _note(training: Training, wrong: str, batch: Batch, epoch: int, lr: float, *, finite_images: bool) -> None:
    """Keep what `diagnose --replay` needs: the batch's images by number, and the training before the step."""
    indices = training.team.gather(torch.from_numpy(batch.indices)).tolist()
    noted = {
        "step": training.clock.step,
        "epoch": epoch,
        "wrong": wrong,
        "lr": lr,
        "indices": indices,
        "names": [name_of(training.parts.train, index) for index in indices],
        "finite_images": finite_images,
        "finite_weights": all(bool(torch.isfinite(each).all()) for each in training.network.parameters()),
    }
    try:
        before = snapshot(training)
        if training.team.world.first:
            checkpoints.save(training.run.path / BAD_STEP, training.clock.step, before, keep=1)
        training.run.write_json(f"{BAD_STEP}.json", noted)
    except (CheckpointError, OSError) as error:
        training.watch.said(f"warning: the bad step could not be written down: {error}")


def _why_it_stops(training: Training, what: str, batch: Batch, cause: str) -> str:
    with contextlib.suppress(CheckpointError):  # told already, or not what the user needs now
        training.saver.wait()
    images = ", ".join(name_of(training.parts.train, index) for index in batch.indices[:5].tolist())
    folder, whole = training.run.path, checkpoints.newest_whole(training.run.checkpoints)
    return (
        f"{what}, in the batch of {images}… (all in {folder / BAD_STEP}.json); "
        f"{cause}. Where it begins: {command('diagnose', '--replay', folder)}. "
        + (f"The last good checkpoint is kept: {whole}" if whole else "No checkpoint had been saved yet.")
    )


def _roll_back(training: Training) -> str:
    """Put the weights and all that goes with them back to the newest checkpoint; gives its name."""
    training.saver.wait()
    training.team.wait_for_all()  # for what rank 0 has just written
    found = checkpoints.choose(training.run.checkpoints, "last").checkpoint
    assert found is not None  # `last` finds one, or says that there is none
    progress = put_back(training, checkpoints.load(found))
    training.forget_graphs()
    training.progress.averaged = progress.averaged
    training.progress.rollbacks += 1
    return found.name
