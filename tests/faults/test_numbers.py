"""NaN, Inf and spikes in real trainings: caught in the step they come in, and nothing of them kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnlab.errors import NonFiniteLossError
from cnnlab.train.bad_step import MOST_IN_A_ROW, OnBadStep, parse_on_bad_step
from cnnlab.train.checkpoint import list_checkpoints, load
from cnnlab.train.loop import Training, fit
from cnnlab.train.state import snapshot
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE, Said, same

pytestmark = pytest.mark.faults

SMALL = replace(RECIPE, model="resnet_matlab", model_options={"width": 4, "units": 1}, steps=16)
SKIP, ROLL_BACK = parse_on_bad_step("skip"), parse_on_bad_step("rollback:1")


def numbers(training: Training) -> dict[str, torch.Tensor]:
    tensors = snapshot(training).tensors
    return {f"{group}.{name}": each.clone() for group in tensors for name, each in tensors[group].items()}


def poison_pixels(training: Training, wild: Callable[[int], bool]) -> None:
    """Let the images of some steps hold a NaN."""

    def poison(_: object, given: tuple[torch.Tensor]) -> tuple[torch.Tensor] | None:
        if not training.network.training or not wild(training.clock.step):
            return None
        images = given[0].clone()
        images[0, 0, 0, 0] = float("nan")
        return (images,)

    training.network.register_forward_pre_hook(poison)


def test_a_skipped_step_leaves_nothing_behind_and_resumes_bit_equal(training_in: TrainingIn, tmp_path: Path) -> None:
    watch = Said()
    training = training_in(tmp_path / "whole", SMALL, on_bad_step=SKIP, watch=watch)
    poison_pixels(training, lambda step: step in (3, 15))
    for _ in range(3):
        training.step()
    before = numbers(training)
    training.step()
    assert training.progress.bad_steps == [3]
    assert same(before, numbers(training))
    note = json.loads((tmp_path / "whole" / "bad-step.json").read_text())
    assert note["step"] == 3
    assert len(note["indices"]) == 16
    assert "the loss became nan at step 3 (epoch 0): this batch is left out" in watch.lines
    fit(training)
    assert training.progress.bad_steps == [3, 15]

    other = training_in(tmp_path / "other", SMALL, on_bad_step=SKIP)
    poison_pixels(other, lambda step: step in (3, 15))
    for _ in range(6):
        other.step()
    other.save()
    other.run.close()
    resumed = training_in(tmp_path / "other", SMALL, on_bad_step=SKIP, resume=True)
    poison_pixels(resumed, lambda step: step in (3, 15))
    resumed.restore("last")
    fit(resumed)
    assert same(numbers(training), numbers(resumed))


def test_a_gradient_that_is_no_number_is_caught_though_the_loss_is_one(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", SMALL)
    weight = training.network.classifier.weight
    weight.register_hook(lambda gradient: gradient * float("inf") if training.clock.step == 2 else None)
    with pytest.raises(NonFiniteLossError, match=r"the norm of the gradient became (nan|inf) at step 2"):
        fit(training)
    assert all(torch.isfinite(each).all() for each in numbers(training).values())


def test_a_spike_is_caught_by_its_factor(training_in: TrainingIn, tmp_path: Path) -> None:
    recipe = replace(SMALL, steps=30)
    training = training_in(tmp_path / "run", recipe, on_bad_step=OnBadStep("skip", spike=8.0))
    training.network.register_forward_hook(lambda _, __, logits: logits * 1e4 if training.clock.step == 25 else None)
    fit(training)
    assert training.progress.bad_steps == [25]


def test_rolling_back_puts_all_at_the_newest_checkpoint_and_goes_on(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", SMALL, on_bad_step=ROLL_BACK)
    poison_pixels(training, lambda step: step in (5, 9))
    for _ in range(3):
        training.step()
    training.save()
    saved = load(list_checkpoints(tmp_path / "run" / "checkpoints")[-1])
    for _ in range(3):
        training.step()
    assert training.clock.step == 6
    assert training.progress.rollbacks == 1
    flat = {f"{group}.{name}": each for group, tensors in saved.tensors.items() for name, each in tensors.items()}
    assert same(numbers(training), flat)
    with pytest.raises(NonFiniteLossError, match=r"at step 9"):  # once was all it may
        fit(training)


def test_a_training_that_only_skips_stops(training_in: TrainingIn, tmp_path: Path) -> None:
    training = training_in(tmp_path / "run", replace(SMALL, steps=20), on_bad_step=SKIP)
    poison_pixels(training, lambda step: step >= 2)
    with pytest.raises(NonFiniteLossError, match=rf"at step {2 + MOST_IN_A_ROW} "):
        fit(training)
