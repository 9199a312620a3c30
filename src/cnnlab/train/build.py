"""What a training is built of: the network as the recipe begins it, and how a step runs it."""

from __future__ import annotations

import contextlib
import os
from typing import cast

import torch
from torch import Tensor, nn

from cnnlab.data.cache import cache_folder
from cnnlab.data.parts import Parts
from cnnlab.errors import DataError, UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.initialise import initialise
from cnnlab.models.layers import Network
from cnnlab.models.stochastic_depth import leaves_out_blocks
from cnnlab.recipes.recipe import Hardest, Recipe
from cnnlab.train.batches import image_channels
from cnnlab.train.distributed import Team
from cnnlab.train.step import Forward, plain_forward


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """The seed of torch's generators in a step: different for every step of every seed, and for each process."""
    return (seed * 1_000_003 + step + rank * 1_000_000_007) % 2**63


def build_network(recipe: Recipe, parts: Parts, seed: int) -> Network:
    """The recipe's network for this data, initialised from `seed` alone."""
    torch.manual_seed(seed)
    options = {**recipe.model_options, **({} if recipe.dropout is None else {"dropout": recipe.dropout})}
    network = create_model(
        recipe.model, num_classes=len(parts.class_names), in_channels=image_channels(parts), **options
    )
    initialise(network, recipe.initialisation, std=recipe.initialisation_std)
    return network


def build_proxy_network(hardest: Hardest, parts: Parts, seed: int) -> Network:
    """The small network that finds the hardest images of this data, initialised from `seed` alone."""
    torch.manual_seed(seed)
    classes, channels = len(parts.class_names), image_channels(parts)
    return create_model(hardest.model, num_classes=classes, in_channels=channels, **hardest.model_options)


class _WithAux(nn.Module):
    """A network together with its auxiliary heads, as a module."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (N, K), and those of each auxiliary head by name."""
        found: tuple[Tensor, dict[str, Tensor]] = self.network.forward_with_aux(images)
        return found


def build_forward(recipe: Recipe, network: Network, compiled: bool, team: Team, *, unused: bool = False) -> Forward:
    """How a step runs the network: compiled or not, with its auxiliary heads where the recipe weighs them.

    `unused` says that some parameters have no part in some steps; a `team` of several processes needs to know.

    Raises:
        UsageError: the recipe weighs auxiliary heads, and the network has none.
    """
    has_aux = bool(getattr(network, "aux_heads", False))
    if recipe.aux_weight and not has_aux:
        raise UsageError(
            f"recipe {recipe.name} weighs auxiliary heads by {recipe.aux_weight:g}, and {recipe.model} has none; "
            "add --set aux_weight=0"
        )
    module = team.replicate(
        _WithAux(network) if recipe.aux_weight else network,
        unused=unused or leaves_out_blocks(network) or (has_aux and not recipe.aux_weight),
    )
    run = _compile(module) if compiled else module
    return run if recipe.aux_weight else plain_forward(run)


def _compile(module: nn.Module) -> nn.Module:
    """Compile for each shape of batch by itself; later runs find in the cache what was compiled."""
    compiled = cache_folder() / "compiled"
    with contextlib.suppress(OSError):  # a cache that cannot be written: torch takes its own place
        compiled.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(compiled, os.W_OK):
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(compiled))
    return cast(nn.Module, torch.compile(module, dynamic=False))


def check_labels(parts: Parts) -> None:
    """Refuse labels outside the classes, before a GPU does in its own words.

    Raises:
        DataError: names the first such image.
    """
    classes = len(parts.class_names)
    for split, part in (("train", parts.train), ("val", parts.val), ("test", parts.test)):
        outside = [] if part is None else ((part.labels < 0) | (part.labels >= classes)).nonzero().flatten().tolist()
        if part is not None and outside:
            raise DataError(
                f"{split} image {outside[0]} has the label {int(part.labels[outside[0]])}, and there are {classes} "
                f"classes, 0 to {classes - 1}; {len(outside)} such images in all"
            )
