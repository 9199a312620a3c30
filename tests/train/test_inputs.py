from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data.parts import Parts, part_from
from cnnlab.data.preprocess import measure, normalise
from cnnlab.data.sources import load
from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.recipes import get_recipe
from cnnlab.recipes.recipe import Normalisation
from cnnlab.train.inputs import preprocess_for
from tests.train.training import RECIPE, small_parts


def grey() -> Parts:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), np.uint8)
    part = part_from(images, np.zeros(6, np.int64))
    return Parts("grey", part, part, None, ("a",), "made", "")


def test_measured_kinds_are_the_data_rooms_own() -> None:
    parts = small_parts()
    assert preprocess_for(RECIPE, parts) == measure(parts.train.images)
    assert preprocess_for(replace(RECIPE, normalisation="pixel_mean"), parts) == measure(
        parts.train.images, "pixel_mean"
    )


def test_caffes_range_is_0_to_255_without_the_mean() -> None:
    parts = small_parts()
    images = normalise(parts.train.images, preprocess_for(replace(RECIPE, normalisation="mean_255"), parts))
    pixels = parts.train.images.float()
    torch.testing.assert_close(images, pixels - pixels.mean((0, 2, 3), keepdim=True), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("kind", "low", "high"), [("unit", 0.0, 1.0), ("half", -1.0, 1.0)])
def test_given_ranges_fit_any_channels(kind: Normalisation, low: float, high: float) -> None:
    preprocess = preprocess_for(replace(RECIPE, normalisation=kind), grey())
    ends = normalise(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), preprocess)
    assert ends.flatten().tolist() == pytest.approx([low, high], abs=1e-6)


def test_rgb_numbers_are_refused_for_grey_images() -> None:
    with pytest.raises(UsageError, match="'imagenet' is for RGB; the images have 1 channels: use 'channel'"):
        preprocess_for(replace(RECIPE, normalisation="imagenet"), grey())


def test_photos_are_seen_as_the_recipe_tests_them(shapes: Path) -> None:
    parts = load(shapes, photos=True)
    preprocess = preprocess_for(get_recipe("vgg2014/imagenet-a"), parts)
    assert (preprocess.resize_pixels, preprocess.crop_pixels) == (256, 224)
    assert preprocess.mean == (0.485, 0.456, 0.406)
    assert preprocess.std == (1 / 255,) * 3


def test_what_is_measured_in_memory_is_refused_for_photos(shapes: Path) -> None:
    recipe = get_recipe("modern/cifar10")
    with pytest.raises(UsageError, match="photos on disk need one of imagenet, mean_255, half, unit"):
        preprocess_for(recipe, load(shapes, photos=True))


def test_digits_are_padded_for_the_network_of_1998() -> None:
    part = part_from(np.zeros((2, 1, 28, 28), np.uint8), np.arange(2))
    parts = Parts("digits", part, part, None, tuple("0123456789"), "made", "")
    preprocess = preprocess_for(get_recipe("lenet1998/mnist"), parts)
    assert create_model("lenet5")(normalise(part.images, preprocess)).shape == (2, 10)
