"""What a network costs: parameters and multiply-accumulates, counted without running it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from types import UnionType

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model, require_model
from cnnlab.models.layers import Network
from cnnlab.models.official_weights import OFFICIAL
from cnnlab.models.summary import summarise_model
from cnnlab.models.table import Row
from cnnlab.models.weight_names import count_tensors


@dataclass(frozen=True)
class Cost:
    """Parameters (learnable numbers) and multiply-accumulates of one image, forward."""

    parameters: int
    macs: int


def count_parameters(network: nn.Module) -> int:
    """Learnable numbers: weights, biases and normalisation scales; running statistics are not."""
    return sum(parameter.numel() for parameter in network.parameters())


def cost(network: nn.Module, in_channels: int, pixels: int | tuple[int, ...]) -> Cost:
    """Parameters, and MACs of convolutions and linear layers for one image.

    `pixels` is the side of a square image, or all its sizes: (L,) of a signal, (T, H, W) of a clip.

    Nothing is computed: the network is copied to torch's meta device. What papers call FLOPs are MACs.
    """
    sizes = (pixels, pixels) if isinstance(pixels, int) else pixels
    image = torch.empty(1, in_channels, *sizes, device="meta")
    skeleton = copy.deepcopy(network).to("meta").eval()
    return Cost(count_parameters(network), count_macs(skeleton, image))


COUNTED = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear


def count_macs(network: nn.Module, images: Tensor, layers: type | UnionType = COUNTED) -> int:
    """MACs of convolutions and linear layers for `images` (N, C, H, W), which go through the network once.

    `layers` are the kinds that count.
    """
    macs: list[int] = []
    hooks = [
        module.register_forward_hook(lambda layer, _, output: macs.append(_macs(layer, output)))
        for module in network.modules()
        if isinstance(module, layers)
    ]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(macs)


def _macs(layer: nn.Module, output: Tensor) -> int:
    """Every number a layer puts out costs a multiply-accumulate for each weight of its unit."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return output.numel() * weight[0].numel()


def describe_model(name: str) -> Row:
    """One network of the catalogue, built and counted on torch's meta device.

    Raises:
        UnknownNameError: there is no such network.
    """
    entry = require_model(name)
    found = summarise_model(name)
    with torch.device("meta"):
        network = create_model(name).eval()
    return Row(
        name=name,
        year=entry.year,
        paper=entry.paper,
        input="x".join(map(str, (entry.in_channels, *entry.sizes))),
        parameters=found.parameters,
        macs=found.macs,
        depth=found.depth,
        tensors=count_tensors({key: tuple(value.shape) for key, value in network.state_dict().items()}),
        weights=tuple(weights.filename for weights in OFFICIAL if weights.name == name),
        linear_macs=count_macs(network, _blank(network, entry.sizes), nn.Linear),
        smallest_pixels=network.smallest_pixels,
        one_size=_takes_one_size(network, len(entry.sizes)),
        norms=any(isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) for each in network.modules()),
    )


def _takes_one_size(network: Network, axes: int) -> bool:
    """Whether a network on the meta device refuses images larger than its smallest."""
    try:
        network(_blank(network, (2 * network.smallest_pixels + 32,) * axes))
    except UsageError:
        return True
    return False


def _blank(network: Network, sizes: tuple[int, ...]) -> Tensor:
    return torch.empty(1, network.in_channels, *sizes, device="meta")
