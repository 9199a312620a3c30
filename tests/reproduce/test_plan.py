from __future__ import annotations

from dataclasses import replace

import pytest

from cnnlab.recipes.recipe import MultiStep, PadCrop, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.reproduce.plan import Plan, quick, what_differs

PLAN = quick(CIFAR10, epochs=6)


def test_a_key_is_the_same_for_the_same_training_whatever_it_is_called() -> None:
    renamed = replace(PLAN, recipe=replace(CIFAR10, name="other", expected="much", differences=(), gmac=None))
    renamed = replace(
        renamed, recipe=replace(renamed.recipe, batch_size=64, augment=PLAN.recipe.augment, val_images=1000)
    )
    assert renamed.key(0) == PLAN.key(0)
    assert len(PLAN.key(0)) == 16


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, epochs=7),
        replace(PLAN, pixels=24),
        replace(PLAN, train_images=None),
        replace(PLAN, data="mnist"),
        replace(PLAN, watch_every=10),
        replace(PLAN, recipe=replace(PLAN.recipe, model="plain20")),
        replace(PLAN, recipe=replace(PLAN.recipe, model_options={"shortcut": "B"})),
        replace(PLAN, recipe=replace(PLAN.recipe, optimizer=Sgd(lr=0.2))),
        replace(PLAN, recipe=replace(PLAN.recipe, schedule=MultiStep(at_steps=(1,)))),
    ],
)
def test_another_training_has_another_key(other: Plan) -> None:
    assert other.key(0) != PLAN.key(0)


def test_another_seed_has_another_key() -> None:
    assert PLAN.key(1) != PLAN.key(0)


def test_quick_shrinks_the_shifts_with_the_images() -> None:
    assert PadCrop(pixels=4) in CIFAR10.augment
    assert PadCrop(pixels=2) in PLAN.recipe.augment
    assert PLAN.recipe.val_images == 1_000


def test_what_is_less_than_in_the_paper_is_said() -> None:
    said = "; ".join(what_differs([PLAN, PLAN]))
    for expected in ("5,000 training images", "16 x 16 pixels", "6 epochs of batches of 64 in place of 64,000 steps"):
        assert said.count(expected) == 1
    assert what_differs([Plan(CIFAR10)]) == []
