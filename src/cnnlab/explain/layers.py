"""Layers by name: the intermediates that `features()` names, any module, and which of them a map is best made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError, unknown_name
from cnnlab.models.layers import Network

LEAST_PIXELS = 4  # a side of the maps that are shown; smaller ones cannot say where


@contextmanager
def recorded(network: Network, layer: str) -> Iterator[list[Tensor]]:
    """Record what `layer` puts out while the network runs: one tensor a call, part of the graph.

    `layer` is one that `network.features` names, or any module such as `layer3.2.conv1`.

    Raises:
        UnknownNameError: there is neither; the message offers the nearest names.
    """
    modules = dict(network.named_modules())
    found: list[Tensor] = []
    if layer in modules and layer:
        hook = modules[layer].register_forward_hook(lambda _, __, output: _take(found, output, layer))
        try:
            yield found
        finally:
            hook.remove()
        return
    with _features_told(network, found, layer):
        yield found


def _take(found: list[Tensor], output: object, layer: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise UsageError(f"{layer!r} returns a {type(output).__name__}, not one tensor; name a layer inside it")
    found.append(output)
    return output.clone()  # what comes next may write into it, as an in-place ReLU does


@contextmanager
def _features_told(network: Network, found: list[Tensor], layer: str) -> Iterator[None]:
    """Look at what `features` returns, which is a method of most networks and a module of some."""

    def take(named: dict[str, Tensor]) -> None:
        if layer not in named:
            raise unknown_name("layer", layer, [*named, *(name for name, _ in network.named_modules() if name)])
        found.append(named[layer])

    inner = network._modules.get("features")
    if inner is not None:
        hook = inner.register_forward_hook(lambda _, __, named: take(named))
        try:
            yield
        finally:
            hook.remove()
        return
    plain = network.features

    def told(images: Tensor) -> dict[str, Tensor]:
        named = plain(images)
        take(named)
        return named

    network.__dict__["features"] = told  # found before the class's own
    try:
        yield
    finally:
        del network.__dict__["features"]


def layer_shapes(network: Network, sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes, without the batch, of what `features` names for images of `sizes`, such as (32, 32)."""
    device = next(network.parameters()).device
    image = torch.zeros(1, network.in_channels, *sizes, device=device)
    with evaluating(network), torch.no_grad():
        return {name: tuple(maps.shape[1:]) for name, maps in network.features(image).items()}


def default_layer(network: Network, sizes: tuple[int, ...]) -> str:
    """The layer to explain for images of `sizes`: the last maps of at least 4 pixels a side, else of at least 2.

    Deeper maps know more of the class and less of the place; Selvaraju et al. 2017 (arXiv:1610.02391) take the last.

    Raises:
        UsageError: the network has no maps, as a perceptron; the message says what to use instead.
    """
    shapes = layer_shapes(network, sizes)
    for least in (LEAST_PIXELS, 2):
        wide = [name for name, shape in shapes.items() if len(shape) > 1 and min(shape[1:]) >= least]
        if wide:
            return wide[-1]
    raise UsageError(
        f"{type(network).__name__} has no layer that keeps places for images of {'x'.join(map(str, sizes))}; "
        f"its layers: {', '.join(shapes)}; use --method integrated-gradients or occlusion"
    )


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and back in its own mode afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def first_filters(network: nn.Module) -> tuple[str, Tensor]:
    """The name and the filters (K, C, h, w) of the first convolution, float32 on the CPU.

    Raises:
        UsageError: the network has no convolution over images.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module.weight.detach().float().cpu()
    raise UsageError(f"{type(network).__name__} has no convolution over images, so no filters to show")
