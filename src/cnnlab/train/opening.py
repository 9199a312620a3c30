"""What a training says of its data before it begins: the classes with their counts, and the size of the images."""

from __future__ import annotations

import torch

from cnnlab.data.decode import printable
from cnnlab.data.parts import Part, Parts, photos_of
from cnnlab.recipes.recipe import Recipe

MAX_COUNTED = 20
"""The most classes of which each is named with its count."""

_NAME_LENGTH, _ENDS = 32, 4


def opening_lines(recipe: Recipe, parts: Parts) -> tuple[str, ...]:
    """The classes to train on, and how large the network sees the images, a line each."""
    return describe_classes(parts), describe_size(recipe, parts)


def describe_classes(parts: Parts) -> str:
    """Name the classes with how many images of each there are to train on; of many, the first and last."""
    counts = torch.bincount(parts.train.labels, minlength=len(parts.class_names)).tolist()
    names = [_shortened(printable(name)) for name in parts.class_names]
    fewest, most = min(counts), max(counts)
    if len(names) <= MAX_COUNTED and fewest != most:
        each = ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))
        return f"{len(names)} classes, images of each to train on: {each}"
    shown = names if len(names) <= MAX_COUNTED else [*names[:_ENDS], "…", *names[-_ENDS:]]
    size = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{len(names):,} classes of {size} images each to train on: {', '.join(shown)}"


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def describe_size(recipe: Recipe, parts: Parts) -> str:
    """Say what size the images are brought to, and how."""
    train = parts.train
    if not isinstance(train, Part):
        crop = recipe.crop.pixels if recipe.crop is not None else recipe.folder_pixels
        tested = f"for tests the shorter side is resized to {recipe.test_resize_pixels} and the middle cut out"
        return f"images: cut out of each photo at random and resized to {crop} x {crop} pixels; {tested}"
    height, width = train.images.shape[2:]
    how = "each photo brought to" if photos_of(train) is not None else "of"
    cut = " (shorter side resized, the middle cut out)" if photos_of(train) is not None else ""
    smaller = [resolution.pixels for resolution in recipe.resolutions if resolution.pixels != height]
    growing = f"; trained at {', '.join(map(str, smaller))} pixels at first" if smaller else ""
    return f"images: {how} {height} x {width} pixels{cut}{growing}"
