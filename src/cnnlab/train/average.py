"""Averaged weights, kept beside a network: an exponential moving average, or the plain mean of the last part."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cnnlab.recipes.recipe import Average, Ema
from cnnlab.train.flat import Flat


def averaged_copy(network: nn.Module) -> nn.Module:
    """A copy of `network` to hold the average; it is never trained itself."""
    return copy.deepcopy(network).requires_grad_(False)


def new_share(average: Average, step: int, averaged: int) -> float:
    """How much of the average the newest weights become.

    Args:
        average: the recipe's kind of average.
        step: the number of optimizer updates so far, this one included.
        averaged: how many of them the average holds already.

    Returns:
        1 - decay for `Ema`, where decay is at most (1 + step) / (10 + step), so that the start is forgotten soon;
        1 / (averaged + 1) for `Polyak`, so that all count the same.
    """
    if isinstance(average, Ema):
        return 1.0 - min(average.decay, (1 + step) / (10 + step))
    return 1.0 / (averaged + 1)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move `average` by `share` of the way towards `network`.

    Running statistics are averaged as the weights are; whole numbers are copied.
    """
    # Weights by themselves: torch takes no list of which some are shared out among processes, as weights may be.
    _move(average.parameters(), network.parameters(), share)
    _move(average.buffers(), network.buffers(), share)


def _move(kept: Iterable[Tensor], new: Iterable[Tensor], share: float) -> None:
    pairs = [(old.data, young.data) for old, young in zip(kept, new, strict=True)]
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    if floats:
        torch._foreach_lerp_([old for old, _ in floats], [young for _, young in floats], share)
    for old, young in pairs:
        if not old.is_floating_point():
            old.copy_(young)


@torch.no_grad()
def update_average_on_device(average: nn.Module, network: nn.Module, share: Tensor) -> None:
    """Do what `update_average` does, with a `share` of no dimension on the device; none of it where that is 0."""
    kept, new = Flat(_tensors(average)), Flat(_tensors(network))
    moved = [
        torch.lerp(old, young, share) if kind.is_floating_point else torch.where(share > 0, young, old)
        for kind, old, young in zip(kept.formats, kept.gather(), new.gather(), strict=True)
    ]
    kept.scatter(moved)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*(each.data for each in network.parameters()), *network.buffers()]
