"""ResNeXt, against facts/networks.md section 15, torchvision and timm."""

from __future__ import annotations

import pytest
import timm
import torch
from torchvision import models as torchvision_models

from cnnlab.models import resnext
from cnnlab.models.describe import cost
from tests.models.oracle import assert_agrees

COUNTS = {  # pixels, parameters, GMACs as rounded there
    "resnext50_32x4d": (224, 25_028_904, 4.230),
    "resnext101_32x4d": (224, 44_177_704, 7.970),
    "resnext101_32x8d": (224, 88_791_336, 16.414),
    "resnext101_64x4d": (224, 83_455_272, 15.460),
    "resnext29_8x64d": (32, 34_426_698, 5.387),
    "resnext29_16x64d": (32, 68_155_210, 10.689),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    pixels, parameters, giga_macs = COUNTS[name]
    with torch.device("meta"):
        found = cost(getattr(resnext, name)(), 3, pixels)
    assert found.parameters == parameters
    assert round(found.macs / 1e9, 3) == giga_macs


@pytest.mark.parametrize("name", ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"])
def test_agrees_with_torchvision(name):
    assert_agrees(getattr(resnext, name), getattr(torchvision_models, name))


def test_resnext101_32x4d_agrees_with_timm():
    assert_agrees(resnext.resnext101_32x4d, lambda: timm.create_model("resnext101_32x4d"))


def test_blocks_are_those_of_table_1():
    with torch.device("meta"):
        network = resnext.resnext50_32x4d()
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    assert [len(stage) for stage in stages] == [3, 4, 6, 3]
    inner = [(stage[0].conv2.out_channels, stage[0].conv3.out_channels, stage[0].conv2.groups) for stage in stages]
    assert inner == [(128, 256, 32), (256, 512, 32), (512, 1024, 32), (1024, 2048, 32)]


def test_map_sizes_of_the_cifar_network():
    with torch.device("meta"):
        network = resnext.resnext29_8x64d()
        features = network.features(torch.empty(1, 3, 32, 32))
    shapes = [tuple(maps.shape[1:]) for maps in features.values()]
    assert shapes == [(64, 32, 32), (256, 32, 32), (512, 16, 16), (1024, 8, 8), (1024,)]
    assert [stage[0].conv2.out_channels for stage in (network.layer1, network.layer2, network.layer3)] == [
        512,
        1024,
        2048,
    ]
