"""The MATLAB tutorial's network, against facts/networks.md section 13."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import cost, count_parameters
from cnnlab.models.resnet_matlab import resnet_matlab


@pytest.mark.parametrize(
    ("units", "parameters", "mega_macs", "depth"),
    [(2, 175_818, 26.66, 14), (3, 273_258, 40.81, 20), (6, 565_578, 83.28, 38)],
)
def test_counts(units, parameters, mega_macs, depth):
    network = resnet_matlab(units=units)
    found = cost(network, 3, 32)
    assert found.parameters == parameters
    assert round(found.macs / 1e6, 2) == mega_macs
    weighted = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear) and m is not None]
    skips = 2  # skipConv1 and skipConv2 do not count as depth
    assert len(weighted) - skips == depth


def test_bottleneck_variant():
    assert count_parameters(resnet_matlab(unit="bottleneck")) == 315_594


def test_every_convolution_has_a_bias_and_skips_are_projections():
    network = resnet_matlab()
    assert all(m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d))
    assert network.layer1[0].downsample is None
    for stage in (network.layer2, network.layer3):
        skip_conv, skip_norm = stage[0].downsample
        assert (skip_conv.kernel_size, skip_conv.stride) == ((1, 1), (2, 2))
        assert isinstance(skip_norm, nn.BatchNorm2d)


def test_map_sizes():
    features = resnet_matlab().features(torch.randn(1, 3, 32, 32))
    shapes = [tuple(maps.shape[1:]) for maps in features.values()]
    assert shapes == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8), (64,)]


def test_weights_start_from_glorot_uniform():
    torch.manual_seed(0)
    weight = resnet_matlab(width=64).layer1[0].conv1.weight
    limit = (6 / (9 * 64 + 9 * 64)) ** 0.5
    assert weight.abs().max().item() <= limit
    assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)


@pytest.mark.parametrize("options", [{"unit": "wide"}, {"width": 0}, {"units": 0}])
def test_bad_arguments_are_refused(options):
    with pytest.raises(UsageError):
        resnet_matlab(**options)
