"""Real runs, of a few steps on drawn images."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.errors import InterruptedRunError
from cnnlab.evaluate.classifier import load
from cnnlab.recipes.recipe import Constant, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.reproduce.plan import Plan
from cnnlab.reproduce.runs import best_on_validation, make, make_one, shown_error
from cnnlab.train.watch import Moment, Watch

from .conftest import Made

RECIPE = replace(
    CIFAR10,
    model="plain_cifar",
    model_options={"layers": 8, "width": 4},
    data="synthetic",
    batch_size=16,
    steps=8,
    val_images=40,
    optimizer=Sgd(lr=0.05),
    schedule=Constant(),
)
PLAN = Plan(RECIPE, data="synthetic", train_images=64, pixels=8)


class Stop(Watch):
    """Sends this process SIGINT after the third step."""

    def stepped(self, moment: Moment) -> None:
        if moment.step == 3:
            os.kill(os.getpid(), signal.SIGINT)


class Count(Watch):
    """Counts steps."""

    steps = 0

    def stepped(self, moment: Moment) -> None:
        self.steps += 1


def test_a_run_is_trained_once_gone_on_with_and_shared(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError, match="the same command again") as stopped:
        make_one(PLAN, 0, tmp_path, device="cpu", watch=Stop())
    assert stopped.value.exit_code == 75
    rest = Count()
    first = make_one(PLAN, 0, tmp_path, device="cpu", watch=rest)
    assert rest.steps == 5
    again = Count()
    twice = make(
        {"one": PLAN, "same": replace(PLAN, recipe=replace(RECIPE, name="renamed"))},
        1,
        tmp_path,
        device="cpu",
        watch=again,
    )
    assert again.steps == 0
    assert len(list(tmp_path.iterdir())) == 1
    assert twice["one"][0].test_error == twice["same"][0].test_error == first.test_error
    assert first.train_error < 1
    assert first.curve("val")[-1][0] == 8
    assert shown_error((first,)).endswith("%")
    classifier = load(first.folder, device="cpu")  # the options of its network and the size of its images are kept
    assert classifier.config.options == {"layers": 8, "width": 4}
    assert classifier.config.preprocess.crop_pixels == 8


def test_a_training_that_diverges_is_a_result_and_not_tried_again(tmp_path: Path) -> None:
    wild = replace(PLAN, recipe=replace(RECIPE, model_options={"layers": 8, "norm": False}, optimizer=Sgd(lr=1e6)))
    found = make_one(wild, 0, tmp_path, device="cpu")
    again = Count()
    assert make_one(wild, 0, tmp_path, device="cpu", watch=again).diverged
    assert again.steps == 0
    assert found.diverged
    assert found.test_error == found.train_error == 1.0
    assert shown_error((found,)) == "diverged"


def test_settings_are_chosen_by_validation(result: Made) -> None:
    good, bad, failed = result(0.5, train_error=0.2), result(0.1, train_error=0.6), result(0.0, diverged=True)
    results = {"good": (good,), "bad": (bad,), "failed": (failed,)}
    assert best_on_validation(results, ["bad", "good", "failed"]) == "good"
