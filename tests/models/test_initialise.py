from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.models.initialise import initialise, truncated_normal_
from cnnlab.models.resnet_cifar import plain20, resnet20

INPUTS, OUTPUTS = 64 * 9, 96 * 9  # of a unit of the convolution below
CUT_AT_2 = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))  # variance of that normal


def convolution() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(64, 96, kernel_size=3), nn.BatchNorm2d(96))


@pytest.mark.parametrize(
    ("how", "variance"),
    [
        ("gaussian", 0.01**2),
        ("lecun", (2.4 / INPUTS) ** 2 / 3),
        ("xavier", 2 / (INPUTS + OUTPUTS)),
        ("caffe_xavier", 1 / INPUTS),
        ("he_fan_in", 2 / INPUTS),
        ("he_fan_out", 2 / OUTPUTS),
        ("truncated_normal", 0.1**2 * CUT_AT_2),
        ("orthogonal", 1 / INPUTS),
    ],
)
def test_variance_is_the_formulas(how, variance):
    net = convolution()
    nn.init.constant_(net[0].bias, 3.0)
    nn.init.constant_(net[1].weight, 3.0)
    initialise(net, how)
    assert net[0].weight.var().item() == pytest.approx(variance, rel=0.03)
    assert net[0].weight.mean().item() == pytest.approx(0.0, abs=0.02 * math.sqrt(variance))
    assert not net[0].bias.any()
    assert (net[1].weight == 1).all()


@pytest.mark.parametrize(
    ("how", "bound"),
    [
        ("lecun", 2.4 / INPUTS),
        ("xavier", math.sqrt(6 / (INPUTS + OUTPUTS))),
        ("caffe_xavier", math.sqrt(3 / INPUTS)),
        ("truncated_normal", 0.2),
    ],
)
def test_bound_is_the_formulas(how, bound):
    net = convolution()
    initialise(net, how)
    assert 0.99 * bound < net[0].weight.abs().max().item() <= bound * 1.000001


def test_orthogonal_rows_are_orthonormal():
    net = convolution()
    initialise(net, "orthogonal")
    rows = net[0].weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(96), rtol=0, atol=1e-5)


def test_truncated_normal_has_the_distribution_of_torchs():
    torch.manual_seed(0)
    ours, theirs = torch.empty(200_000), torch.empty(200_000)
    truncated_normal_(ours, 0.1)
    nn.init.trunc_normal_(theirs, std=0.1, a=-0.2, b=0.2)
    levels = torch.linspace(0.02, 0.98, 25)
    torch.testing.assert_close(torch.quantile(ours, levels), torch.quantile(theirs, levels), rtol=0, atol=2e-3)


@pytest.mark.parametrize("how", ["gaussian", "truncated_normal"])
def test_std_can_be_said(how):
    net = convolution()
    initialise(net, how, std=0.3)
    assert 0.25 < net[0].weight.std().item() < 0.31


def test_own_changes_nothing():
    net = convolution()
    before = net[0].weight.clone()
    initialise(net, "own")
    assert torch.equal(net[0].weight, before)


def test_zero_gamma_makes_every_block_the_identity():
    net = resnet20().eval()
    before = net.layer1[0].conv1.weight.clone()
    initialise(net, "zero_gamma")
    images = torch.rand(1, 3, 8, 8)
    named = net.features(images)
    assert torch.equal(named["layer1"], named["stem"])
    assert sum(1 for norm in net.modules() if isinstance(norm, nn.BatchNorm2d) and not norm.weight.any()) == 9
    assert torch.equal(net.layer1[0].conv1.weight, before)


def test_zero_gamma_is_refused_where_there_is_no_residual_block():
    with pytest.raises(UsageError, match="no residual block"):
        initialise(plain20(), "zero_gamma")


def test_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'he_fan_in'"):
        initialise(convolution(), "he_fanin")


def test_std_is_refused_where_there_is_none():
    with pytest.raises(UsageError, match="has no std"):
        initialise(convolution(), "xavier", std=0.1)
