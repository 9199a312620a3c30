from __future__ import annotations

import pytest
import torch
from timm.utils.agc import adaptive_clip_grad
from torch import nn

from cnnlab.recipes.recipe import ClipAdaptive, ClipNorm
from cnnlab.train.clip import clip_gradients, clip_units


def network_with_gradients(scale: float) -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))
    random = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=random)
    return network


def gradients(network: nn.Module) -> list[torch.Tensor]:
    found = [parameter.grad for parameter in network.parameters()]
    return [each.clone() for each in found if each is not None]


def test_a_norm_above_the_limit_comes_down_to_it() -> None:
    network = network_with_gradients(10.0)
    clip_gradients(ClipNorm(norm=2.0), network, network[2])
    total = torch.cat([each.flatten() for each in gradients(network)])
    assert float(total.norm()) == pytest.approx(2.0, rel=1e-4)


def test_a_norm_below_the_limit_stays() -> None:
    network = network_with_gradients(1e-4)
    before = gradients(network)
    clip_gradients(ClipNorm(norm=2.0), network, network[2])
    assert all(torch.equal(a, b) for a, b in zip(before, gradients(network), strict=True))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_adaptive_clipping_agrees_with_timm(scale: float) -> None:
    ours, theirs = network_with_gradients(scale), network_with_gradients(scale)
    clip_units(list(ours.parameters()), ratio=0.01)
    adaptive_clip_grad(theirs.parameters(), clip_factor=0.01)
    for a, b in zip(gradients(ours), gradients(theirs), strict=True):
        if a.ndim > 1:  # timm takes a vector as one unit; the paper's equation is per unit
            torch.testing.assert_close(a, b)


def test_a_bias_is_a_unit_by_itself() -> None:
    bias = nn.Parameter(torch.tensor([1.0, 1.0, 0.0]))
    bias.grad = torch.tensor([5.0, 0.001, -5.0])
    clip_units([bias], ratio=0.01)
    torch.testing.assert_close(bias.grad, torch.tensor([0.01, 0.001, -1e-5]))


def test_the_classifier_is_left_alone() -> None:
    network = network_with_gradients(100.0)
    before = gradients(network)
    clip_gradients(ClipAdaptive(ratio=0.01), network, network[2])
    after = gradients(network)
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [False, False, True, True]
