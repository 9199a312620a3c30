"""Every network of the catalogue, made quickly and small: what the contract battery runs on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.models import MODELS
from cnnlab.models.layers import Network

CLASSES = 5


@functools.cache
def pool(draw: Callable[..., Tensor]) -> Tensor:
    """Random numbers that large weights are filled with: drawing a hundred million takes seconds."""
    return draw(4_000_037, generator=torch.Generator().manual_seed(0))


class CheapRandom(TorchFunctionMode):
    """Tensors of more than half a million numbers are filled from a pool of four million instead of drawn."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) and args[0].numel() > 500_000 and args[0].device.type == "cpu":
            names = ("mean", "std") if func is Tensor.normal_ else ("from", "to")
            given = dict(zip(names, (0.0, 1.0), strict=True)) | dict(zip(names, args[1:], strict=False)) | kwargs
            start, end = given[names[0]], given[names[1]]
            numbers, scale = (pool(torch.randn), end) if func is Tensor.normal_ else (pool(torch.rand), end - start)
            with torch.no_grad():
                for part in args[0].view(-1).split(numbers.numel()):
                    torch.mul(numbers[: part.numel()], scale, out=part).add_(start)
            return args[0]
        return func(*args, **kwargs)


def small_sizes(name: str, network: Network) -> tuple[int, ...]:
    """Sizes of a small input that the network takes: as few as eight pixels a side."""
    entry = MODELS[name]
    if len(entry.sizes) != 2:
        return (64,) if len(entry.sizes) == 1 else (4, 16, 16)
    pixels = max(network.smallest_pixels, 8 if entry.pixels <= 32 else 33)
    return (pixels, pixels)


def make(name: str, **options: object) -> Network:
    """The network with few classes, on the processor, quickly initialised."""
    torch.manual_seed(0)
    with CheapRandom():
        return MODELS[name].build(**{"num_classes": CLASSES, **options})


@dataclass
class Case:
    """One network in evaluation mode, two small images, and what it makes of them."""

    name: str
    network: Network
    images: Tensor
    features: dict[str, Tensor]
    logits: Tensor


def make_case(name: str) -> Case:
    """A case in float64, where a hundred layers on two tiny images round to no visible difference.

    Batch norms know statistics close to those of the images, so that numbers stay ordinary.
    """
    options = {"num_classes": 10} if name == "lenet5" else {}
    network = make(name, **options)
    images = torch.randn(2, MODELS[name].in_channels, *small_sizes(name, network))
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        if norms:
            for norm in norms:
                norm.momentum = 1.0
            network.train()(images)
            for norm in norms:  # a map that hardly varied must not be blown up by the next images
                norm.running_var.clamp_(min=0.1 * norm.running_var.mean().item())
        network.double().eval()
        images = images.double()
        return Case(name, network, images, network.features(images), network(images))


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest number wanted."""
    assert got.shape == wanted.shape
    return ((got - wanted).abs().max() / wanted.abs().max()).item()
