"""The recipe's augmentation is the data room's own functions, in the recipe's order, and resumes anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data import augment, colour, geometry, mixing, policies
from cnnlab.data.parts import Parts, part_from
from cnnlab.data.sources import load
from cnnlab.errors import UsageError
from cnnlab.recipes import Recipe, get_recipe
from cnnlab.recipes.recipe import (
    AlternatingFlip,
    Cutmix,
    Cutout,
    Erasing,
    Flip,
    Mixup,
    PadCrop,
    PcaNoise,
    Photometric,
    PixelJitter,
    RandAugment,
    RandomArea,
    Rotation,
    ScaleJitter,
    TrivialAugment,
)
from cnnlab.train.batches import TrainingBatches, augment_with, change_pixels, colour_axes, mix_with
from cnnlab.train.inputs import preprocess_for
from tests.train.training import RECIPE, small_parts

RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(6, 3, 8, 8, generator=RANDOM).contiguous(memory_format=torch.channels_last)
PIXELS = torch.randint(0, 256, (6, 3, 8, 8), generator=RANDOM, dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
INDICES = np.arange(100, 106)
EVERY = (
    *(RandAugment(), Photometric(), PcaNoise(), PixelJitter(), PadCrop(pixels=2), Flip(), Rotation(), Erasing()),
    *(Cutout(), Mixup(), Cutmix()),
)


def test_no_augmentation_is_none() -> None:
    assert augment_with((), seed=0) is None
    assert change_pixels((Flip(),), seed=0) is None
    assert augment_with((PixelJitter(), Mixup()), seed=0) is None
    assert mix_with((Flip(),), seed=0, num_classes=3) is None


def test_crop_then_flip_equals_the_rooms_own_functions() -> None:
    apply = augment_with((PadCrop(pixels=2), Flip(probability=0.5)), seed=3)
    assert apply is not None
    rows, columns = augment.crop_offsets(3, 5, INDICES, 2)
    expected = augment.flip(augment.pad_crop(IMAGES, rows, columns, 2, "zero"), augment.flip_mask(3, 5, INDICES, 0.5))
    assert torch.equal(apply(IMAGES, INDICES, 5), expected)


def test_rotation_and_erasing_are_the_rooms_own() -> None:
    apply = augment_with((Rotation(degrees=10), Erasing(probability=1.0)), seed=3)
    assert apply is not None
    turned = geometry.rotate(IMAGES, geometry.angles(3, 5, INDICES, 10))
    assert torch.equal(
        apply(IMAGES, INDICES, 5), geometry.erase(turned, 3, 5, INDICES, 1.0, (0.02, 0.4), (0.3, 10 / 3))
    )


def test_squares_are_cut_out_as_the_room_does() -> None:
    apply = augment_with((Cutout(pixels=3),), seed=3)
    assert apply is not None
    expected = geometry.cut_out(IMAGES, torch.from_numpy(geometry.centres(3, 5, INDICES)), 3)
    assert torch.equal(apply(IMAGES, INDICES, 5), expected)


def test_changes_of_colour_are_the_rooms_own() -> None:
    axes = (torch.tensor([0.3, 0.2, 0.1]), torch.eye(3))
    steps = (TrivialAugment(), Photometric(0.4, 0.3, 0.2), PixelJitter(amount=5), PcaNoise(std=0.2))
    apply = change_pixels(steps, 3, axes)
    assert apply is not None
    expected = policies.trivial_augment(PIXELS, 3, 5, INDICES)
    expected = colour.photometric(expected, 3, 5, INDICES, 0.4, 0.3, 0.2)
    expected = colour.pixel_jitter(expected, 3, 5, INDICES, 5)
    expected = colour.pca_noise(expected, colour.pca_normals(3, 5, INDICES), *axes, 0.2)
    assert torch.equal(apply(PIXELS, INDICES, 5), expected)


@pytest.mark.parametrize(("step", "function"), [(Mixup(alpha=0.4), mixing.mixup), (Cutmix(alpha=0.4), mixing.cutmix)])
def test_mixing_is_the_rooms_own(step: Mixup | Cutmix, function: object) -> None:
    apply = mix_with((step,), seed=3, num_classes=3)
    assert apply is not None
    assert callable(function)
    images, labels = apply(IMAGES, LABELS, INDICES, 5)
    expected = function(IMAGES, LABELS, 3, 5, INDICES, 0.4, 3)
    assert torch.equal(images, expected[0])
    assert torch.equal(labels, expected[1])
    torch.testing.assert_close(labels.sum(1), torch.ones(6))


def test_an_image_meets_the_same_fate_in_any_batch() -> None:
    apply = augment_with((PadCrop(pixels=2, mode="reflect"), Flip()), seed=3)
    assert apply is not None
    whole = apply(IMAGES, INDICES, 1)
    assert torch.equal(apply(IMAGES[2:4], INDICES[2:4], 1), whole[2:4])


def test_alternating_flip_shows_every_image_both_ways_in_two_epochs() -> None:
    apply = augment_with((AlternatingFlip(),), seed=0)
    assert apply is not None
    first, second = apply(IMAGES, INDICES, 0), apply(IMAGES, INDICES, 1)
    assert torch.equal(first.flip(3), second)


def test_colour_axes_are_measured_or_published() -> None:
    parts = small_parts()
    assert colour_axes(RECIPE, parts) is None
    published = colour_axes(replace(RECIPE, augment=(PcaNoise(source="published"),)), parts)
    assert published is not None
    assert published[0].tolist() == pytest.approx([0.2175, 0.0188, 0.0045])
    measured = colour_axes(replace(RECIPE, augment=(PcaNoise(source="data"),)), parts)
    assert measured is not None
    torch.testing.assert_close(measured[1].T @ measured[1], torch.eye(3), atol=1e-5, rtol=0)


def test_colours_of_grey_images_are_refused() -> None:
    part = part_from(np.zeros((4, 1, 8, 8), np.uint8), np.zeros(4, np.int64))
    parts = Parts("digits", part, part, None, ("a",), "made", "")
    with pytest.raises(UsageError, match=r"changes colours \(photometric\), and digits is not RGB"):
        colour_axes(replace(RECIPE, augment=(Photometric(),)), parts)


def batches(recipe: Recipe, parts: Parts) -> TrainingBatches:
    return TrainingBatches(recipe, parts, preprocess_for(recipe, parts), seed=4, device=torch.device("cpu"))


def test_any_batch_can_be_made_at_any_time_with_every_augmentation_there_is() -> None:
    recipe, parts = replace(RECIPE, augment=EVERY), small_parts()
    first, later = batches(recipe, parts), batches(recipe, parts)
    for position in range(3):
        first.batch(0, position)
    expected, found = first.batch(2, 1), later.batch(2, 1)
    assert torch.equal(expected.images, found.images)
    assert torch.equal(expected.labels, found.labels)
    assert found.labels.shape == (16, len(parts.class_names))


@pytest.mark.parametrize(
    "crop", [RandomArea(pixels=12), ScaleJitter(pixels=12, shorter_side=(14, 16)), ScaleJitter(12, (14, 14), True)]
)
def test_photos_are_cut_to_the_recipes_square(crop: RandomArea | ScaleJitter, shapes: Path) -> None:
    recipe = replace(get_recipe("modern/imagenet"), batch_size=4, crop=crop, test_resize_pixels=16, test_crop_pixels=12)
    made = batches(recipe, load(shapes, photos=True))
    assert made.pixels == 12
    assert made.batch(1, 2).images.shape == (4, 3, 12, 12)
    assert made.sample(100).shape == (4, 3, 12, 12)


def test_a_sample_is_not_augmented() -> None:
    recipe, parts = replace(RECIPE, augment=(Erasing(probability=1.0),)), small_parts()
    assert torch.equal(batches(recipe, parts).sample(10), batches(RECIPE, parts).sample(10))


def test_photos_and_images_in_memory_are_not_taken_for_each_other(shapes: Path) -> None:
    with pytest.raises(UsageError, match=r"cuts squares of 224 pixels .* modern/cifar10"):
        batches(get_recipe("modern/imagenet"), small_parts())
    with pytest.raises(UsageError, match="no crop for photos on disk; take modern/imagenet"):
        TrainingBatches(
            RECIPE, load(shapes, photos=True), preprocess_for(RECIPE, small_parts()), seed=0, device=torch.device("cpu")
        )
