"""The recipe when none is named: what the catalogue, the folder and this machine tell `recipes.choose`."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cnnlab.data import sources
from cnnlab.data.named import is_name, plain_name
from cnnlab.data.photos import usable_cores
from cnnlab.errors import UsageError
from cnnlab.evaluate.strangers import Known, the_candidate
from cnnlab.models.catalog import require_model
from cnnlab.models.device import resolve_device
from cnnlab.models.table import Row, read_table
from cnnlab.models.weight_files import Which
from cnnlab.recipes import choose, fast
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.pretrained import find_source

if TYPE_CHECKING:
    from cnnlab.train.run import Settings

PUBLISHED_IMAGES, PUBLISHED_CLASSES = 50_000, 10  # about; more than any choice looks at


def recipe_for(
    data: str,
    model: str | None = None,
    *,
    pretrained_pixels: int | None = None,
    manifest: str | None = None,
    minutes: float | None = None,
    device: str = "auto",
) -> Recipe:
    """The recipe for a network on data, chosen by `recipes.choose`.

    Args:
        data: a set's name, a folder or a manifest.
        model: None takes AirNet.
        pretrained_pixels: the side of the images that the weights to start from were trained on, if there are such.
        manifest: which images of a folder to use.
        minutes: the time to spend, if it is given.
        device: where it trains.

    Raises:
        UnknownNameError: there is no such network.
        UsageError: the network does not take photos.
        DataError: the folder cannot be used.
    """
    if model is not None:
        require_model(model)
    images = _images(data, manifest)
    if pretrained_pixels is not None:
        return choose.for_weights(model, pretrained_pixels, images)
    costs = [cost for row in read_table() if (cost := network_cost(row)) is not None]
    network = next((each for each in costs if each.name == (model or fast.CIFAR10.model)), None)
    if network is None:
        raise UsageError(f"{model} takes no photos: its input is {require_model(str(model)).sizes}; see cnnlab models")
    return choose.choose(network, images, machine_of(device), minutes, costs)


def recipe_for_settings(settings: Settings) -> Recipe:
    """The recipe for a run that is told all else: `recipe_for` with the network and weights its settings name."""
    model, pixels = network_of_weights(settings.pretrained, None, None, settings.which)
    recipe = recipe_for(
        settings.data,
        model,
        pretrained_pixels=pixels,
        manifest=settings.manifest,
        minutes=settings.minutes,
        device=settings.device,
    )
    return replace(recipe, folder_pixels=pixels) if pixels and recipe.crop is None else recipe


def network_of_weights(
    pretrained: str | None, model: str | None, recipe: str | None, which: Which | None = None
) -> tuple[str | None, int | None]:
    """The network to train from `pretrained` weights, and the side of the images these were trained on.

    Without weights, `model` and None; `recipe` names the network where nothing else does, and else a file's entries do.
    """
    if pretrained is None:
        return model, None
    model = model or (get_recipe(recipe).model if recipe else None)
    source = find_source(pretrained, model, which)
    if model is None and source.model is None and source.path is not None:
        model = the_candidate(source.which.read(source.path), Known(), None).model
    model = model or source.model
    own = require_model(model).sizes[-1] if model else None
    return model, source.preprocess.crop_pixels if source.preprocess else own


def _images(data: str, manifest: str | None) -> choose.Images:
    """How many images are there to train on, and of how many classes; no photo is opened."""
    if is_name(data):
        return choose.Images(PUBLISHED_IMAGES, PUBLISHED_CLASSES, published=plain_name(data))
    parts = sources.load(data, manifest=Path(manifest) if manifest else None, photos=True)
    return choose.Images(len(parts.train), len(parts.class_names))


def network_cost(row: Row) -> choose.NetworkCost | None:
    """A row of the catalogue as a choice takes it; None for a network of signals or clips."""
    sizes = row.input.split("x")[1:]
    if len(sizes) != 2:
        return None
    return choose.NetworkCost(
        name=row.name,
        pixels=int(sizes[0]),
        smallest_pixels=row.smallest_pixels,
        one_size=row.one_size,
        macs=row.macs,
        linear_macs=row.linear_macs,
        parameters=row.parameters,
        depth=row.depth,
        norms=row.norms,
        dropout="dropout" in inspect.signature(require_model(row.name).build).parameters,
    )


def machine_of(device: str) -> choose.Machine:
    """How fast this machine is, as far as its number of cores tells."""
    if resolve_device(device).type != "cpu":
        return choose.GPU
    return choose.cpu(min(usable_cores(), torch.get_num_threads()))
