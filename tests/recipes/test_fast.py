"""Our own recipe: what is promised of it, whatever its numbers are tuned to."""

from __future__ import annotations

from cnnlab.recipes.fast import CIFAR10, MNIST
from cnnlab.recipes.recipe import AlternatingFlip, Flip


def test_it_stays_within_twelve_minutes_on_a_cpu() -> None:
    assert CIFAR10.cpu_minutes is not None
    assert CIFAR10.cpu_minutes <= 12


def test_it_chooses_by_a_validation_split_as_large_as_the_papers() -> None:
    assert CIFAR10.val_images == 5_000


def test_photos_are_mirrored_and_digits_are_not() -> None:
    assert any(isinstance(step, Flip | AlternatingFlip) for step in CIFAR10.augment)
    assert not any(isinstance(step, Flip | AlternatingFlip) for step in MNIST.augment)


def test_the_digits_are_tested_as_they_are_or_mirrored_never() -> None:
    assert MNIST.protocol == "center"
