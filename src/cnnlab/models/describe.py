"""What a network costs: parameters and multiply-accumulates, counted without running it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Parameters (learnable numbers) and multiply-accumulates of one image, forward."""

    parameters: int
    macs: int


def count_parameters(network: nn.Module) -> int:
    """Learnable numbers: weights, biases and normalisation scales; running statistics are not."""
    return sum(parameter.numel() for parameter in network.parameters())


def cost(network: nn.Module, in_channels: int, pixels: int) -> Cost:
    """Parameters, and MACs of convolutions and linear layers for one (in_channels, pixels, pixels) image.

    Nothing is computed: the network is copied to torch's meta device. What papers call FLOPs are MACs.
    """
    with torch.device("meta"):
        image = torch.empty(1, in_channels, pixels, pixels)

    skeleton = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        skeleton(image)
    return Cost(count_parameters(network), counter.get_total_flops() // 2)
