"""Small trainings for the tests of the loop: a few steps on a few made images."""

from __future__ import annotations

from dataclasses import replace

from cnnlab.data.parts import Parts
from cnnlab.data.synthetic import synthetic
from cnnlab.recipes.recipe import Ema, Flip, MultiStep, PadCrop, Recipe, Sgd

RECIPE = Recipe(
    name="test/tiny",
    paper="none",
    model="resnet20",
    data="synthetic",
    batch_size=16,
    steps=8,
    optimizer=Sgd(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=MultiStep(at_steps=(4, 6)),
    augment=(PadCrop(pixels=2), Flip()),
    average=Ema(decay=0.9),
)


def small_parts() -> Parts:
    """64 images to train on, 32 to validate, 32 to test, of 16 pixels."""
    return synthetic(train_images=64, val_images=32, test_images=32, pixels=16)


def with_lr(lr: float) -> Recipe:
    """The recipe at another learning rate."""
    return replace(RECIPE, optimizer=Sgd(lr=lr))
