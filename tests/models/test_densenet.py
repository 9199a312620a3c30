"""DenseNet, against Huang et al. 2016, facts/networks.md section 15 and torchvision."""

from __future__ import annotations

import pytest
import torch
from torchvision import models as torchvision_models

from cnnlab.errors import UsageError
from cnnlab.models import densenet
from cnnlab.models.describe import cost
from tests.models.oracle import assert_agrees

COUNTS = {  # pixels, parameters, GMACs as rounded there
    "densenet121": (224, 7_978_856, 2.834),
    "densenet169": (224, 14_149_480, 3.360),
    "densenet201": (224, 20_013_928, 4.291),
    "densenet161": (224, 28_681_000, 7.728),
    "densenet40_12": (32, 1_019_722, 0.265),
    "densenet_bc100_12": (32, 769_162, 0.288),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    pixels, parameters, giga_macs = COUNTS[name]
    with torch.device("meta"):
        found = cost(getattr(densenet, name)(), 3, pixels)
    assert found.parameters == parameters
    assert round(found.macs / 1e9, 3) == giga_macs


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet169", "densenet201"])
def test_agrees_with_torchvision(name):
    assert_agrees(getattr(densenet, name), getattr(torchvision_models, name))


def test_map_sizes_of_table_1():
    with torch.device("meta"):
        features = densenet.densenet121().features(torch.empty(1, 3, 224, 224))
    assert {name: tuple(maps.shape[1:]) for name, maps in features.items()} == {
        "stem": (64, 56, 56),
        "denseblock1": (64 + 6 * 32, 56, 56),
        "transition1": (128, 28, 28),
        "denseblock2": (128 + 12 * 32, 28, 28),
        "transition2": (256, 14, 14),
        "denseblock3": (256 + 24 * 32, 14, 14),
        "transition3": (512, 7, 7),
        "denseblock4": (512 + 16 * 32, 7, 7),
        "norm5": (1024, 7, 7),
        "pooled": (1024,),
    }


def test_without_compression_transitions_keep_their_maps():
    with torch.device("meta"):
        features = densenet.densenet40_12().features(torch.empty(1, 3, 32, 32))
    shapes = {name: tuple(maps.shape[1:]) for name, maps in features.items()}
    assert shapes["stem"] == (16, 32, 32)
    assert shapes["denseblock1"] == (16 + 12 * 12, 32, 32)
    assert shapes["transition1"] == (160, 16, 16)
    assert shapes["pooled"] == (16 + 36 * 12,)


def test_the_smallest_image():
    network = densenet.densenet121(num_classes=2).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 29, 29)).shape == (1, 2)
    with pytest.raises(UsageError, match="29 pixels"):
        network(torch.rand(1, 3, 28, 64))
    with pytest.raises(UsageError, match=r"takes \(N, 3, H, W\)"):
        network(torch.rand(1, 1, 32, 32))


def test_dropout_is_on_in_training_only():
    network, images = densenet.densenet_bc100_12(dropout=0.2), torch.randn(2, 3, 8, 8)
    torch.manual_seed(0)
    with torch.no_grad():
        assert not torch.equal(network.train()(images), network(images))
        assert torch.equal(network.eval()(images), network(images))
