"""The preprocessing that a training starts from: measured on its images, or what the paper gives."""

from __future__ import annotations

from dataclasses import replace

from cnnlab.data.parts import Part, Parts
from cnnlab.data.preprocess import measure
from cnnlab.errors import UsageError
from cnnlab.models.official_weights import MEAN, STD
from cnnlab.recipes.recipe import Recipe
from cnnlab.types import Preprocess

GIVEN: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {  # mean and std, RGB in [0, 1]
    "imagenet": (MEAN, STD),
    "mean_255": (MEAN, (1 / 255,) * 3),  # the mean subtracted from pixels of 0 to 255, as Caffe's networks see them
    "half": ((0.5,) * 3, (0.5,) * 3),  # pixels from -1 to 1, as Google's networks see them
    "unit": ((0.0,) * 3, (1.0,) * 3),  # pixels from 0 to 1
}


def preprocess_for(recipe: Recipe, parts: Parts) -> Preprocess:
    """How the network of `recipe` sees the images of `parts`.

    Raises:
        UsageError: the recipe measures its mean on images in memory, and these are photos on disk; or gives
            three numbers for RGB, and these have other channels.
    """
    kind, train = recipe.normalisation, parts.train
    if not isinstance(train, Part):
        return Preprocess(recipe.test_resize_pixels, recipe.test_crop_pixels, *_given(kind, 3))
    if kind in ("channel", "pixel_mean", "gcn", "gcn_zca"):
        return replace(measure(train.images, kind), pad_pixels=recipe.pad_pixels)
    measured = measure(train.images)
    if kind == "mean_255":
        mean, std = measured.mean, (1 / 255,) * len(measured.mean)
    else:
        mean, std = _given(kind, train.images.shape[1])
    return replace(measured, mean=mean, std=std, pad_pixels=recipe.pad_pixels)


def _given(kind: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if kind not in GIVEN:
        raise UsageError(
            f"normalisation {kind!r} is measured on images in memory; photos on disk need one of {', '.join(GIVEN)}"
        )
    mean, std = GIVEN[kind]
    if len(set(mean)) == 1:  # the same for every channel, however many there are
        return mean[:1] * channels, std[:1] * channels
    if channels != len(mean):
        raise UsageError(f"normalisation {kind!r} is for RGB; the images have {channels} channels: use 'channel'")
    return mean, std
