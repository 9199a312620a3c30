"""Our own recipe: what is promised of it, whatever its numbers are tuned to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from cnnlab.bench.training import begun, noise_parts
from cnnlab.data.parts import Part
from cnnlab.recipes.fast import CIFAR10, CIFAR10_95, CIFAR10_96, MNIST
from cnnlab.recipes.recipe import AlternatingFlip, Flip, Recipe


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


def test_the_widest_networks_first_step_does_not_throw_the_logits_far() -> None:
    """A head's step grows with number and size of features: eight times this rate takes the loss from 2.3 to 2.8."""
    with begun(replace(CIFAR10_96, batch_size=64, precision="fp32"), noise_parts(64)) as training:
        [[first], [second]] = training.step(), training.step()
    assert second.loss < 1.1 * first.loss


@pytest.mark.parametrize("recipe", [CIFAR10, CIFAR10_95, CIFAR10_96], ids=lambda each: each.name)
def test_what_is_done_to_images_does_not_enlarge_what_the_whitening_stem_makes_of_them(recipe: Recipe) -> None:
    """Batch norm keeps statistics of these maps for test images; a seventh of noise makes them 2.8 times as large."""
    parts, generator = noise_parts(64), torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(64, 3, 8, 8, generator=generator) * 255, size=32, mode="bicubic")
    parts = replace(parts, train=Part(smooth.clamp(0, 255).byte(), parts.train.labels))
    with begun(replace(recipe, batch_size=64, precision="fp32"), parts) as training, torch.inference_mode():
        stem = training.network.stem
        plain, changed = stem(training.batches.sample(64)), stem(training.batches.batch(0, 0).images)
    assert changed.std() < 1.1 * plain.std()
