"""One battery over every recipe of the catalogue: it resolves, it can be written down, and it trains."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.data.parts import Parts, part_from
from cnnlab.data.preprocess import measure
from cnnlab.data.sources import NAMES, PUBLISHED
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.recipes import RECIPES, Recipe, from_dict, get_recipe, to_dict
from cnnlab.train.loop import Training
from cnnlab.train.optim import build_optimizers, set_lr
from cnnlab.train.record import RunFolder
from cnnlab.train.schedule import lr_factor
from cnnlab.train.watch import Watch

every_recipe = pytest.mark.parametrize("name", RECIPES)

# Learning rates computed by hand, at ten shares of each recipe's length.
FAST = [
    (0.0, 0.24), (0.05, 0.228), (0.1, 0.216), (0.25, 0.18), (0.4, 0.144),
    (0.5, 0.12), (0.6, 0.096), (0.75, 0.06), (0.9, 0.024), (1.0, 0.0),
]  # fmt: skip
MODERN = [
    (0.0, 0.02), (0.05, 0.065), (0.1, 0.11), (0.15, 0.155), (0.2, 0.2),
    (0.3, 0.175), (0.4, 0.15), (0.6, 0.1), (0.8, 0.05), (1.0, 0.0),
]  # fmt: skip
RESNET = [
    (0, 0.1), (1, 0.1), (16_000, 0.1), (31_999, 0.1), (32_000, 0.01),
    (40_000, 0.01), (47_999, 0.01), (48_000, 0.001), (56_000, 0.001), (63_999, 0.001),
]  # fmt: skip
PAPER_SHARES = [(step / 64_000, lr) for step, lr in RESNET]
LEARNING_RATES: dict[str, list[tuple[float, float]]] = {
    "fast/cifar10": FAST,
    "fast/mnist": FAST,
    "modern/cifar10": MODERN,
    "resnet2015/cifar10": PAPER_SHARES,
    "resnet2015/cifar10-110": PAPER_SHARES,
}

IMAGES = {"cifar10": (3, 32), "synthetic": (3, 32), "mnist": (1, 28), "fashion_mnist": (1, 28)}


def made_data(recipe: Recipe, train: int = 24) -> Parts:
    """Random images of the shape of the recipe's data set."""
    channels, side = IMAGES[recipe.data]
    draw = np.random.default_rng(0)
    sizes = (train, 4, 4)
    parts = [part_from(draw.integers(0, 256, (n, channels, side, side), np.uint8), np.arange(n) % 10) for n in sizes]
    return Parts("made", *parts, tuple("abcdefghij"), "made", "")


@every_recipe
def test_it_resolves_by_name_and_survives_json(name: str) -> None:
    recipe = get_recipe(name)
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe


@every_recipe
def test_what_it_names_exists(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe.model in MODELS
    assert recipe.data in NAMES
    assert get_protocol(recipe.protocol).name == recipe.protocol


@every_recipe
def test_it_says_where_it_is_from_and_holds_out_images(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe.paper
    held = PUBLISHED[recipe.data].val_images if recipe.val_images is None else recipe.val_images
    assert held >= 1_000


@every_recipe
def test_its_learning_rates_are_those_computed_by_hand(name: str) -> None:
    recipe = get_recipe(name)
    optimizers = build_optimizers(recipe.optimizer, create_model(recipe.model), decay_norms_and_biases=True)
    seen = []
    for share, _ in LEARNING_RATES[name]:
        set_lr(optimizers, lr_factor(recipe.schedule, share * length(recipe), length(recipe)))
        seen.append((share, optimizers[0].param_groups[0]["lr"]))
    assert len(seen) == 10
    assert seen == [(share, pytest.approx(lr, abs=1e-12)) for share, lr in LEARNING_RATES[name]]


def length(recipe: Recipe) -> float:
    """Steps of a recipe on 45,000 images."""
    return recipe.steps or (recipe.epochs or 0) * (45_000 // recipe.batch_size)


@every_recipe
def test_every_trainable_parameter_is_given_to_one_optimizer_once(name: str) -> None:
    recipe = get_recipe(name)
    network = create_model(recipe.model)
    optimizers = build_optimizers(recipe.optimizer, network, decay_norms_and_biases=recipe.decay_norms_and_biases)
    given = [id(each) for one in optimizers for group in one.param_groups for each in group["params"]]
    assert sorted(given) == sorted(id(each) for each in network.parameters() if each.requires_grad)


@every_recipe
def test_it_takes_three_steps_and_every_weight_moves(name: str, tmp_path: Path) -> None:
    recipe = replace(get_recipe(name), batch_size=8, steps=3, epochs=None, cpu_minutes=None)
    parts = made_data(recipe)
    preprocess = measure(parts.train.images, recipe.normalisation)
    with RunFolder(tmp_path / "run", resume=False) as run:
        training = Training(
            recipe,
            parts,
            preprocess,
            run,
            seed=0,
            device=torch.device("cpu"),
            minutes=None,
            compiled=False,
            save_seconds=60,
            watch=Watch(),
        )
        before = {key: value.clone() for key, value in training.network.named_parameters()}
        for _ in range(3):
            training.step()
    after = dict(training.network.named_parameters())
    still = [key for key, value in after.items() if value.requires_grad and torch.equal(value, before[key])]
    assert still == []
    assert training.clock.done
    assert all(math.isfinite(record["loss"]) for record in run.records())
