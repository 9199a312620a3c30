"""What a reproduction asks for: trainings, as frozen values that say by their content which run they are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum

from cnnlab.recipes.recipe import Augment, Constant, PadCrop, Recipe, Sgd, to_dict

TITLES = ("name", "paper", "expected", "differences", "gmac")  # of a recipe: what changes nothing in its training
ANY = to_dict(Recipe(name="", paper="", model="", batch_size=1, optimizer=Sgd(lr=1), schedule=Constant(), steps=1))
FULL_PIXELS = 32  # of CIFAR-10


class Budget(StrEnum):
    """How much is spent: minutes of two CPU cores, or what the paper spent."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True)
class Plan:
    """One training, of any number of seeds; plans of equal content share their runs.

    `epochs` makes it shorter or longer than its recipe, whose schedule stretches with it. `train_images` and `pixels`
    take less of the data (`data.smaller`). `watch_every` looks inside the network every so many steps. `start` is
    trained first: its run of the same seed gives the layers that the recipe's own `start` names.
    """

    recipe: Recipe
    data: str = "cifar10"
    epochs: float | None = None
    train_images: int | None = None
    pixels: int | None = None
    watch_every: int | None = None
    start: Plan | None = None

    def key(self, seed: int) -> str:
        """16 hexadecimal digits that are the same for the same training."""
        # Without what is as in any recipe: the keys stay when recipes learn to say more.
        recipe = {name: value for name, value in to_dict(self.recipe).items() if value != ANY.get(name)}
        for name in TITLES:
            recipe.pop(name, None)
        rest = [self.data, self.epochs, self.train_images, self.pixels, self.watch_every, seed]
        rest += [self.start.key(seed)] if self.start is not None else []
        return hashlib.sha256(json.dumps([recipe, rest], sort_keys=True).encode()).hexdigest()[:16]


def quick(
    recipe: Recipe,
    *,
    epochs: float,
    batch_size: int = 64,
    train_images: int = 5_000,
    pixels: int = 16,
    watch_every: int | None = None,
) -> Plan:
    """A recipe for CIFAR-10 cut to minutes of one core: fewer and smaller images, small batches, a short schedule.

    Shifts by a padded crop shrink with the images. 1,000 images are held out to validate on.
    """
    changes = tuple(_shrunk(change, pixels / FULL_PIXELS) for change in recipe.augment)
    recipe = replace(recipe, batch_size=batch_size, augment=changes, val_images=1_000)
    return Plan(recipe, epochs=epochs, train_images=train_images, pixels=pixels, watch_every=watch_every)


def _shrunk(change: Augment, factor: float) -> Augment:
    return replace(change, pixels=max(1, round(change.pixels * factor))) if isinstance(change, PadCrop) else change


def what_differs(plans: list[Plan]) -> list[str]:
    """In sentences, what of the data and of the length is less in these plans than in their recipes."""
    found = []
    for count in sorted({each.train_images for each in plans if each.train_images is not None}):
        found.append(f"{count:,} training images, as many of each class, in place of all")
    for pixels in sorted({each.pixels for each in plans if each.pixels is not None}):
        found.append(f"images of {pixels} x {pixels} pixels in place of their full size")
    lengths = sorted({(each.epochs, each.recipe.batch_size, each.recipe.length) for each in plans if each.epochs})
    for epochs, batch_size, full in lengths:
        found.append(f"{epochs:g} epochs of batches of {batch_size} in place of {full}")
    return found
