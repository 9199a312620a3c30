"""What is promised of the recipe that suits any network."""

from __future__ import annotations

from cnnlab.recipes.modern import CIFAR10
from cnnlab.recipes.recipe import OneCycle, Sgd


def test_only_matrices_and_filters_decay() -> None:
    assert isinstance(CIFAR10.optimizer, Sgd)
    assert CIFAR10.optimizer.weight_decay > 0
    assert not CIFAR10.decay_norms_and_biases


def test_the_learning_rate_goes_through_one_cycle_down_to_nothing() -> None:
    assert isinstance(CIFAR10.schedule, OneCycle)
    assert CIFAR10.schedule.final_factor == 0


def test_it_chooses_by_a_validation_split_as_large_as_the_papers() -> None:
    assert CIFAR10.val_images == 5_000
