from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.data.synthetic import synthetic
from cnnlab.errors import UsageError
from cnnlab.recipes.recipe import Muon, Sgd
from cnnlab.train.lr_range import SMOOTHED, choose_lr, find_lr, noise, smooth, with_lr
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE

LRS = [10.0**power for power in range(-6, 2)]


def test_the_rate_is_a_tenth_of_where_the_loss_is_lowest() -> None:
    assert choose_lr(LRS, [2.3, 2.3, 2.2, 2.0, 1.5, 0.9, 1.4, 9.0], first=2.3) == pytest.approx(0.01)


@pytest.mark.parametrize("smoothed", [[2.3] * 8, [2.27] * 8, [2.3, 4.0, 5.0], [], [math.nan] * 8])
def test_a_loss_that_never_falls_gives_no_rate(smoothed: list[float]) -> None:
    with pytest.raises(UsageError, match=r"no learning rate .* lowers the loss.*cnnlab diagnose"):
        choose_lr(LRS[: len(smoothed)], smoothed, first=2.3)


def test_a_fall_within_the_noise_is_none() -> None:
    smoothed = [2.3, 2.3, 2.2, 2.0, 2.2, 2.3, 2.5, 9.0]
    assert choose_lr(LRS, smoothed, first=2.3, noise=0.15) == pytest.approx(1e-4)
    with pytest.raises(UsageError, match=r"lowers the loss, which begins at 2.3 and is 2 at its lowest"):
        choose_lr(LRS, smoothed, first=2.3, noise=0.25)


def test_noise_is_the_deviation_of_normal_numbers_whatever_the_end_does() -> None:
    losses = torch.empty(2000).normal_(2.3, 0.25, generator=torch.Generator().manual_seed(0)).tolist()
    assert noise([*losses, 1e3, 1e6]) == pytest.approx(0.25, rel=0.1)
    assert noise([1.0]) == 0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_smoothing_is_a_mean_of_neighbours(losses: list[float]) -> None:
    smoothed = list(smooth(losses))
    assert len(smoothed) == len(losses)
    assert min(losses) - 1e-9 <= min(smoothed)
    assert max(smoothed) <= max(losses) + 1e-9
    assert smoothed[0] == pytest.approx(sum(losses[: SMOOTHED + 1]) / len(losses[: SMOOTHED + 1]))


def test_smoothing_leaves_a_straight_line_where_it_is() -> None:
    assert list(smooth([float(each) for each in range(20)]))[SMOOTHED:-SMOOTHED] == [
        float(each) for each in range(SMOOTHED, 20 - SMOOTHED)
    ]


def test_the_test_rises_by_equal_factors_and_is_the_same_every_time(training_in: TrainingIn, tmp_path: Path) -> None:
    recipe = replace(RECIPE, model="lenet5_modern", average=None, augment=())
    parts = synthetic(train_images=64, val_images=0, test_images=0, pixels=32)
    first, again = (
        find_lr(training_in(tmp_path / name, recipe, parts=parts), lowest=1e-4, highest=1e3, steps=60) for name in "ab"
    )
    assert first == again
    ratios = [after / before for before, after in zip(first.lrs, first.lrs[1:], strict=False)]
    assert ratios == pytest.approx([1e7 ** (1 / 59)] * len(ratios))
    assert len(first.lrs) < 60  # it blew up before 1,000
    assert 1e-4 < first.lr < 1
    assert f"learning rate: {first.lr:.2g}, 10 times below the rate at which the loss was lowest" in first.said


@pytest.mark.parametrize("wrong", [{"lowest": 1.0, "highest": 0.1}, {"steps": 3}])
def test_a_range_that_is_none_is_refused(training_in: TrainingIn, tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"give a lower rate above 0, a higher one, and at least 8 steps"):
        find_lr(training_in(tmp_path / "run"), **wrong)  # type: ignore[arg-type]


def test_muons_other_optimizers_change_in_proportion() -> None:
    recipe = replace(RECIPE, optimizer=Muon(lr=0.2, rest=Sgd(lr=0.1), linear=Sgd(lr=0.6)))
    optimizer = with_lr(recipe, 0.1).optimizer
    assert isinstance(optimizer, Muon)
    assert optimizer.linear is not None
    assert (optimizer.lr, optimizer.rest.lr, optimizer.linear.lr) == pytest.approx((0.1, 0.05, 0.3))
    assert with_lr(RECIPE, 0.3).optimizer == replace(RECIPE.optimizer, lr=0.3)
