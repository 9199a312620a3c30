"""What a network's features() returns, without computing anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.models.layers import Network


def on_meta(build: Callable[..., Network], **options: object) -> Network:
    """The network with shapes only, in evaluation mode."""
    with torch.device("meta"):
        return build(**options).eval()


def feature_shapes(network: Network, *sizes: int) -> dict[str, tuple[int, ...]]:
    """Shape without the batch of every intermediate, for one image of `sizes` (C, H, W)."""
    named = network.features(torch.empty(1, *sizes, device="meta"))
    return {name: tuple(maps.shape[1:]) for name, maps in named.items()}


def macs_with_aux(network: Network, *sizes: int) -> int:
    """Multiply-accumulates of forward_with_aux for one image of `sizes` (C, H, W)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.forward_with_aux(torch.empty(1, *sizes, device="meta"))
    return counter.get_total_flops() // 2
