from __future__ import annotations

import math

import pytest
import torch
from timm.optim import RMSpropTF
from torch import nn

from cnnlab.recipes.recipe import RmsProp
from cnnlab.train.optim import build_optimizers, set_lr


def test_two_steps_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    network = nn.Module()
    network.register_parameter("weight", weight)
    recipe = RmsProp(lr=0.1, decay=0.9, momentum=0.5, eps=1.0, weight_decay=0.25)
    (optimizer,) = build_optimizers(recipe, network, decay_norms_and_biases=True)
    square, velocity, expected = 1.0, 0.0, 2.0
    for gradient, factor in ((3.0, 1.0), (-1.0, 0.1)):
        set_lr([optimizer], factor)
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        whole = gradient + 0.25 * expected
        square = 0.9 * square + 0.1 * whole**2
        velocity = 0.5 * velocity + 0.1 * factor * whole / math.sqrt(square + 1.0)
        expected -= velocity
        assert weight.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("momentum", "eps"), [(0.9, 1.0), (0.0, 1e-3)])
def test_it_is_timms_rmsprop_of_tensorflow(momentum: float, eps: float) -> None:
    networks = [nn.Linear(3, 2), nn.Linear(3, 2)]
    networks[1].load_state_dict(networks[0].state_dict())
    (ours,) = build_optimizers(
        RmsProp(lr=0.045, decay=0.9, momentum=momentum, eps=eps, weight_decay=4e-5),
        networks[0],
        decay_norms_and_biases=True,
    )
    theirs = RMSpropTF(
        networks[1].parameters(),
        lr=0.045,
        alpha=0.9,
        momentum=momentum,
        eps=eps,
        weight_decay=4e-5,
        lr_in_momentum=True,
    )
    random = torch.Generator().manual_seed(0)
    for _ in range(5):
        inputs = torch.randn(4, 3, generator=random)
        for network, optimizer in zip(networks, (ours, theirs), strict=True):
            optimizer.zero_grad()
            network(inputs).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(networks[0].weight, networks[1].weight)


def test_parameters_without_a_gradient_stay() -> None:
    network = nn.Linear(2, 1)
    (optimizer,) = build_optimizers(RmsProp(lr=0.1), network, decay_norms_and_biases=True)
    before = network.weight.detach().clone()
    optimizer.step()
    assert torch.equal(network.weight, before)
