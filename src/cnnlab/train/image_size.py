"""Images of a data set in memory, brought to a size that the network takes: bordered, or made smaller."""

from __future__ import annotations

from dataclasses import replace

import torch

from cnnlab.data.parts import Part, Parts
from cnnlab.data.smaller import with_pixels
from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model, require_model
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.batches import image_channels

MOST_BORDER_PIXELS = 4
_ONE_SIZE = ("pixel_mean", "gcn", "gcn_zca")  # normalisations by numbers for each pixel, which borders would not have


def fit_images(recipe: Recipe, parts: Parts) -> tuple[Recipe, Parts, str]:
    """The recipe and the data with images of a size that the network takes, and what was done, in words or "".

    Images that are too small by a few pixels get black borders, as MNIST's 28 pixels for the 32 of LeNet-5; those too
    large for a network of one size are resized to it. Photos on disk are the recipe's own business.

    Raises:
        UsageError: they are too small, or the recipe's normalisation goes with no borders.
    """
    if not isinstance(parts.train, Part):
        return recipe, parts, ""
    side, own = parts.train.images.shape[-1], require_model(recipe.model).pixels
    if _takes(recipe, parts, side + 2 * recipe.pad_pixels):
        return recipe, parts, ""
    border = next((n for n in range(1, MOST_BORDER_PIXELS + 1) if _takes(recipe, parts, side + 2 * n)), None)
    if border and recipe.normalisation not in _ONE_SIZE:
        said = f"images of {side} pixels get black borders of {border}: {recipe.model} takes {side + 2 * border}"
        return replace(recipe, pad_pixels=border), parts, said
    if own < side:
        return replace(recipe, pad_pixels=0), with_pixels(parts, own), f"images of {side} pixels are resized to {own}"
    raise UsageError(
        f"{recipe.model} was made for images of {own} pixels a side and does not take the {side} of {parts.name}; "
        f"take a smaller network (cnnlab models), or for a folder of photos --set folder_pixels={own}"
        + ("; or --set normalisation=channel, which goes with borders" if border else "")
    )


def _takes(recipe: Recipe, parts: Parts, pixels: int) -> bool:
    """Whether the network takes square images of `pixels` a side; nothing is computed."""
    if pixels == require_model(recipe.model).pixels:
        return True
    counts = {"num_classes": len(parts.class_names), "in_channels": image_channels(parts)}
    with torch.device("meta"), torch.no_grad():
        network = create_model(recipe.model, **counts, **recipe.model_options).eval()
        try:
            network(torch.empty(1, counts["in_channels"], pixels, pixels))
        except (UsageError, RuntimeError, ValueError):
            return False
    return True
