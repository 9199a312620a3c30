"""Wide residual networks, against facts/networks.md section 15 and torchvision."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from cnnlab.errors import UsageError
from cnnlab.models import wide_resnet
from cnnlab.models.describe import cost
from tests.models.oracle import assert_agrees

COUNTS = {  # pixels, parameters, GMACs as rounded there
    "wrn16_8": (32, 10_961_370, 1.548),
    "wrn22_8": (32, 17_158_106, 2.454),
    "wrn40_4": (32, 8_949_210, 1.299),
    "wrn28_10": (32, 36_479_194, 5.243),
    "wide_resnet50_2": (224, 68_883_240, 11.398),
    "wide_resnet101_2": (224, 126_886_696, 22.753),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    pixels, parameters, giga_macs = COUNTS[name]
    with torch.device("meta"):
        found = cost(getattr(wide_resnet, name)(), 3, pixels)
    assert found.parameters == parameters
    assert round(found.macs / 1e9, 3) == giga_macs


@pytest.mark.parametrize("name", ["wide_resnet50_2", "wide_resnet101_2"])
def test_agrees_with_torchvision(name):
    assert_agrees(getattr(wide_resnet, name), getattr(torchvision_models, name))


def test_map_sizes_of_table_1():
    with torch.device("meta"):
        features = wide_resnet.wrn28_10().features(torch.empty(1, 3, 32, 32))
    assert {name: tuple(maps.shape[1:]) for name, maps in features.items()} == {
        "stem": (16, 32, 32),
        "layer1": (160, 32, 32),
        "layer2": (320, 16, 16),
        "layer3": (640, 8, 8),
        "norm": (640, 8, 8),
        "pooled": (640,),
    }


def test_depth_counts_convolutions_without_projections():
    with torch.device("meta"):
        network = wide_resnet.wrn28_10()
    spatial = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(spatial) == 25  # 28 with the three projections; d = 6n + 4


def test_dropout_stands_between_the_convolutions_in_training_only():
    block, maps = wide_resnet.WideBlock(4, 4, 1, dropout=0.5), torch.randn(2, 4, 8, 8)
    torch.manual_seed(0)
    assert not torch.equal(block.train()(maps), block(maps))
    assert torch.equal(block.eval()(maps), block(maps))


def test_impossible_depths_are_refused():
    with pytest.raises(UsageError, match="6n \\+ 4"):
        wide_resnet.WideResNet(20, 8)
