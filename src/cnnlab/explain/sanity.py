"""Does a map depend on what the network learned? Adebayo et al. 2018 (arXiv:1810.03292), cascading randomisation.

Layers get random weights one after the other, from the classifier down. A map that stays as it was shows edges of the
image, not the network; a map worth looking at changes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnnlab.explain.flow import has_weight
from cnnlab.explain.methods import Method, heat_map
from cnnlab.models.layers import Network

LEARNED = 0.5  # a map more like its random self than this owes little to learning


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of maps (N, …) with maps of the same shape, (N,) in [-1, 1]; 0 where one is flat."""
    a, b = _ranks(first.flatten(1)), _ranks(second.flatten(1))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    below = (a.square().sum(1) * b.square().sum(1)).sqrt()
    return torch.where(below > 0, (a * b).sum(1) / below.clamp_min(1e-12), 0.0)


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 0, equal values sharing their mean rank."""
    order = values.contiguous().sort(dim=1).values
    low = torch.searchsorted(order, values.contiguous())
    high = torch.searchsorted(order, values.contiguous(), right=True)
    return (low + high - 1).double() / 2


def randomised(network: Network, seed: int = 0) -> Iterator[tuple[str, Network]]:
    """The network with ever more of its layers random, from the last to the first: (name of the layer, network).

    It is one copy that changes; weights are dealt out anew among the units of their tensor, so that their sizes stay.
    """
    changed = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    layers = [(name, module) for name, module in changed.named_modules() if has_weight(module)]
    for name, module in reversed(layers):
        _shuffle(module, generator)
        yield name, changed


@torch.no_grad()
def _shuffle(module: nn.Module, generator: torch.Generator) -> None:
    for parameter in module.parameters(recurse=False):
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view(parameter.shape))


def sanity(
    network: Network, images: Tensor, targets: Tensor, *, method: Method, layer: str | None = None
) -> list[tuple[str, float]]:
    """How alike the maps stay while layers become random: (layer, mean rank correlation with the true map).

    Takes one map of each image for each layer of the network.
    """
    true = heat_map(network, images, targets, method=method, layer=layer)
    return [
        (name, float(rank_correlation(true, heat_map(each, images, targets, method=method, layer=layer)).mean()))
        for name, each in randomised(network)
    ]
