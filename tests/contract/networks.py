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
def pool() -> Tensor:
    """Normal numbers that large weights are filled with: drawing a hundred million takes seconds."""
    return torch.randn(4_000_037, generator=torch.Generator().manual_seed(0))


class CheapRandom(TorchFunctionMode):
    """Large tensors draw from `pool()`; a constructor's own first drawing is left out where it is torch's default."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) and args[0].numel() > 500_000 and args[0].device.type == "cpu":
            tensor, a, b = args[0], *self.bounds(func, args[1:], kwargs)
            with torch.no_grad():
                for part in tensor.view(-1).split(pool().numel()):
                    torch.mul(pool()[: part.numel()], b, out=part).add_(a)
            return tensor
        return func(*args, **kwargs)

    @staticmethod
    def bounds(func: Callable[..., Any], args: tuple[float, ...], kwargs: dict[str, Any]) -> tuple[float, float]:
        """Mean and deviation of the normal or uniform distribution that was asked for."""
        names = ("mean", "std") if func is Tensor.normal_ else ("from", "to")
        given = dict(zip(names, (0.0, 1.0), strict=True)) | dict(zip(names, args, strict=False)) | kwargs
        first, second = given[names[0]], given[names[1]]
        return (first, second) if func is Tensor.normal_ else ((first + second) / 2, (second - first) / 12**0.5)


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
    """A case whose batch norms know statistics close to those of the images, so that numbers stay ordinary."""
    options = {"num_classes": 10} if name == "lenet5" else {}
    network = make(name, **options)
    images = torch.randn(2, MODELS[name].in_channels, *small_sizes(name, network))
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        if norms:
            for norm in norms:
                norm.momentum = 1.0
            network.train()(images)
        network.eval()
        return Case(name, network, images, network.features(images), network(images))


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest number wanted."""
    assert got.shape == wanted.shape
    return ((got - wanted).abs().max() / wanted.abs().max()).item()
