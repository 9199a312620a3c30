from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnlab.data.parts import Part
from cnnlab.errors import UsageError
from cnnlab.recipes import get_recipe
from cnnlab.recipes.catalog import RECIPES
from cnnlab.recipes.recipe import Constant, Sgd
from cnnlab.train.overfit import few_parts, for_a_few, overfit, what_to_look_at
from cnnlab.train.run import Settings, try_few_images
from tests.train.conftest import TrainingIn
from tests.train.training import RECIPE, small_parts, with_lr

FEW = for_a_few(replace(RECIPE, schedule=Constant(), steps=60, batch_size=16), 8)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_has_a_trial_without_what_makes_it_harder(name: str) -> None:
    trial = for_a_few(get_recipe(name), 50)
    assert (trial.augment, trial.resolutions, trial.average, trial.hardest) == ((), (), None, None)
    assert (trial.label_smoothing, trial.aux_weight, trial.cpu_minutes) == (0.0, 0.0, None)
    assert not trial.dropout
    assert getattr(trial.optimizer, "weight_decay", 0.0) == 0.0
    assert trial.batch_size <= 50


@pytest.mark.parametrize(("images", "batch_size"), [(50, 50), (200, 100), (1000, 125), (101, 101), (129, 64)])
def test_batches_are_of_one_size_and_leave_hardly_an_image_out(images: int, batch_size: int) -> None:
    assert for_a_few(replace(RECIPE, batch_size=128), images).batch_size == batch_size
    assert images % batch_size < images / batch_size


def test_the_parts_are_a_few_training_images_and_nothing_else() -> None:
    parts, chosen = small_parts(), few_parts(small_parts(), 20, seed=1)
    assert isinstance(chosen.train, Part)
    assert isinstance(parts.train, Part)
    assert (len(chosen.train), len(chosen.val), chosen.test) == (20, 0, None)
    own = {image.numpy().tobytes() for image in parts.train.images}
    assert all(image.numpy().tobytes() in own for image in chosen.train.images)
    other = few_parts(parts, 20, seed=2).train
    assert isinstance(other, Part)
    assert not torch.equal(other.images, chosen.train.images)


def test_a_few_images_are_learned_and_the_trial_ends_there(training_in: TrainingIn, tmp_path: Path) -> None:
    found = overfit(training_in(tmp_path / "run", FEW, parts=few_parts(small_parts(), 8, seed=0)))
    assert (found.images, found.top1, found.learned) == (8, 1.0, True)
    assert 1 < found.steps < 60
    assert found.said.startswith(f"learned: all 8 images are right after {found.steps} steps, loss ")


def test_what_is_not_learned_is_said_with_how_many_are_right(training_in: TrainingIn, tmp_path: Path) -> None:
    slow = replace(FEW, optimizer=Sgd(lr=1e-12), steps=3)
    found = overfit(training_in(tmp_path / "run", slow, parts=few_parts(small_parts(), 8, seed=0)))
    assert (found.steps, found.learned) == (3, False)
    assert found.said.startswith(f"not learned: {round(found.top1 * 8)} of 8 images are right after 3 steps, loss ")


def test_a_loss_that_is_no_number_is_a_verdict_too(training_in: TrainingIn, tmp_path: Path) -> None:
    wild = for_a_few(with_lr(1e30), 8)
    found = overfit(training_in(tmp_path / "run", wild, parts=few_parts(small_parts(), 8, seed=0)))
    assert (found.loss, found.learned) == (None, False)
    assert "the loss is no number any more" in found.said


def test_fewer_than_two_and_more_than_there_are_is_refused() -> None:
    with pytest.raises(UsageError, match="--overfit 1 leaves nothing to tell apart"):
        for_a_few(RECIPE, 1)
    with pytest.raises(UsageError, match="cannot choose 2001 of 2000 images"):
        try_few_images(RECIPE, Settings(data="synthetic", device="cpu"), 2001)


def test_photos_are_tried_as_they_are(shapes: Path) -> None:
    sizes = {"test_resize_pixels": 18, "test_crop_pixels": 16}
    recipe = get_recipe("modern/imagenet")
    assert recipe.crop is not None
    small = replace(recipe, model="resnet20", crop=replace(recipe.crop, pixels=16), **sizes)
    found = try_few_images(small, Settings(data=str(shapes), device="cpu"), 4)
    assert found.images == 4
    assert found.steps >= 1


def test_advice_is_what_to_type() -> None:
    advice = " ".join(what_to_look_at("resnet20", "cifar10"))
    assert "cnnlab lr-find cifar10 --model resnet20" in advice
    assert "cnnlab diagnose resnet20 cifar10" in advice
