"""Every recipe by name, written out."""

from __future__ import annotations

from pathlib import Path

from cnnlab.errors import unknown_name
from cnnlab.recipes import fast, modern, recipe, resnet2015
from cnnlab.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "fast/cifar10": fast.CIFAR10,
    "fast/mnist": fast.MNIST,
    "modern/cifar10": modern.CIFAR10,
    "resnet2015/cifar10": resnet2015.CIFAR10,
    "resnet2015/cifar10-110": resnet2015.CIFAR10_110,
}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`, or the one in the JSON file `name` when it ends in `.json`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
        UsageError: the file does not hold a recipe.
    """
    if name.endswith(".json"):
        return recipe.read(Path(name))
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]


def default_recipe(data: str, model: str | None = None) -> Recipe:
    """The recipe when none is named: the fast one for its own network, the modern one for any other."""
    if model not in (None, fast.CIFAR10.model):
        return modern.CIFAR10
    return fast.MNIST if data == "mnist" else fast.CIFAR10
