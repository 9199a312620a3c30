"""Averaged weights, kept beside a network: an exponential moving average, or the plain mean of the last part."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from cnnlab.recipes.recipe import Average, Ema


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
    pairs = list(zip(_tensors(average), _tensors(network), strict=True))
    floats = [(kept, new) for kept, new in pairs if kept.is_floating_point()]
    torch._foreach_lerp_([kept for kept, _ in floats], [new for _, new in floats], share)
    for kept, new in pairs:
        if not kept.is_floating_point():
            kept.copy_(new)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*(each.data for each in network.parameters()), *network.buffers()]
