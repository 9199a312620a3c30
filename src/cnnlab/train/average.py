"""Averaged weights: an exponential moving average of a network, kept beside it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def averaged_copy(network: nn.Module) -> nn.Module:
    """A copy of `network` to hold the average; it is never trained itself."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `network` after optimizer update number `step`, the first being 1.

    The decay used is at most (1 + step) / (10 + step), so that the start is forgotten soon. Running
    statistics are averaged as the weights are; whole numbers are copied.
    """
    share = 1.0 - min(decay, (1 + step) / (10 + step))
    pairs = list(zip(_tensors(average), _tensors(network), strict=True))
    floats = [(kept, new) for kept, new in pairs if kept.is_floating_point()]
    torch._foreach_lerp_([kept for kept, _ in floats], [new for _, new in floats], share)
    for kept, new in pairs:
        if not kept.is_floating_point():
            kept.copy_(new)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*(each.data for each in network.parameters()), *network.buffers()]
