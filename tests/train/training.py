"""Small trainings for the tests of the loop: a few steps on a few made images."""

from __future__ import annotations

from dataclasses import replace

import torch

from cnnlab.data.parts import Parts
from cnnlab.data.synthetic import synthetic
from cnnlab.recipes.recipe import Ema, Flip, MultiStep, PadCrop, Recipe, Sgd
from cnnlab.train.loop import Training
from cnnlab.train.watch import Watch

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


class Said(Watch):
    """Keeps what a training says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def said(self, message: str) -> None:
        self.lines.append(message)


def small_parts() -> Parts:
    """64 images to train on, 32 to validate, 32 to test, of 16 pixels."""
    return synthetic(train_images=64, val_images=32, test_images=32, pixels=16)


def with_lr(lr: float) -> Recipe:
    """The recipe at another learning rate."""
    return replace(RECIPE, optimizer=Sgd(lr=lr))


def weights(training: Training) -> dict[str, torch.Tensor]:
    """The tensors of the network and of its average, by name."""
    found = {f"network.{name}": value for name, value in training.network.state_dict().items()}
    if training.average is not None:
        found |= {f"average.{name}": value for name, value in training.average.state_dict().items()}
    return found


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors have the same names, and are equal to the bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
