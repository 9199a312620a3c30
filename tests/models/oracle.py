"""Our network against another library's module of the same architecture, weights shared."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnnlab.models.layers import Network

TOLERANCE = 1e-4  # relative to the largest logit


@functools.cache
def normal_numbers() -> Tensor:
    """A pool that all weights are cut from: drawing and holding a hundred million of their own is slow."""
    return torch.randn(20_000_000, generator=torch.Generator().manual_seed(0))


def random_state(network: nn.Module) -> dict[str, Tensor]:
    """He-scaled normal weights and small biases; norms' scales about 0.8; the largest weights stay unscaled."""
    pool = normal_numbers()
    state = {name: torch.zeros(tensor.shape, dtype=tensor.dtype) for name, tensor in network.named_buffers()}
    for name, parameter in network.named_parameters():
        size = parameter.numel()
        start = int(torch.randint(max(pool.numel() - size, 1), ()))
        drawn = pool[start : start + size] if size <= pool.numel() else pool.repeat(-(-size // pool.numel()))[:size]
        numbers = drawn.view(parameter.shape)
        if parameter.ndim == 1:
            numbers = 0.8 + 0.1 * numbers if name.endswith("weight") else 0.1 * numbers
        elif numbers.numel() < 4_000_000:
            numbers = numbers * (2 / numbers[0].numel()) ** 0.5
        state[name] = numbers
    return state


def made_real(theirs: Callable[[], nn.Module], images: Tensor) -> nn.Module:
    """Their network with random weights and the batch statistics of `images`, in evaluation mode."""
    with torch.device("meta"):
        network = theirs()
    network.load_state_dict(random_state(network), assign=True)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    return network.eval()


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest number wanted."""
    assert got.shape == wanted.shape
    return ((got - wanted).abs().max() / wanted.abs().max()).item()


def assert_agrees(
    ours: Callable[[], Network], theirs: Callable[[], nn.Module], shape: tuple[int, ...] = (2, 3, 33, 49)
) -> None:
    """Their state_dict loads strictly into ours, and the logits agree on random images of `shape`."""
    torch.manual_seed(0)
    images = torch.randn(shape)
    wanted = made_real(theirs, torch.randn(shape))
    with torch.device("meta"):  # nothing drawn: every number has to come from their state_dict
        got = ours()
    got.load_state_dict(wanted.state_dict(), strict=True, assign=True)
    with torch.no_grad():
        difference = relative_difference(got.eval()(images), wanted(images))
    assert difference < TOLERANCE, f"logits differ by {difference:.1e} of the largest"
