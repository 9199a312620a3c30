"""ResNet v1 and v1.5 and plain nets for ImageNet, against Table 1 of He et al. 2015 and torchvision."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from cnnlab.errors import UsageError
from cnnlab.models import resnet
from cnnlab.models.describe import Cost, cost
from tests.models.oracle import assert_agrees

COUNTS = {  # facts/networks.md sections 0 and 10: builder, shortcut: parameters, MACs
    ("resnet18", "A"): (11_515_688, None),
    ("resnet18", "B"): (11_689_512, None),
    ("resnet18", "C"): (12_043_816, None),
    ("resnet34", "A"): (21_623_848, None),
    ("resnet34", "B"): (21_797_672, None),
    ("resnet34", "C"): (22_716_840, None),
    ("resnet50_v1", "A"): (22_780_456, None),
    ("resnet50_v1", "B"): (25_557_032, 3_857_973_248),
    ("resnet50_v1", "C"): (40_128_552, None),
    ("resnet50", "B"): (25_557_032, 4_089_184_256),
    ("resnet101_v1", "B"): (44_549_160, 7_570_194_432),
    ("resnet101", "B"): (44_549_160, 7_801_405_440),
    ("resnet152_v1", "B"): (60_192_808, 11_282_415_616),
    ("resnet152", "B"): (60_192_808, 11_513_626_624),
}
GIGA_MACS = {  # facts/networks.md section 0, rounded there
    ("resnet18", "A"): 1.7948,
    ("resnet18", "B"): 1.8141,
    ("resnet18", "C"): 1.8783,
    ("resnet34", "A"): 3.6445,
    ("resnet34", "B"): 3.6638,
    ("resnet34", "C"): 3.8307,
}


def on_meta(name: str, **options: object) -> resnet.ResNet:
    with torch.device("meta"):
        return getattr(resnet, name)(**options)


@pytest.mark.parametrize(("name", "shortcut"), COUNTS)
def test_counts(name, shortcut):
    parameters, macs = COUNTS[name, shortcut]
    found = cost(on_meta(name, shortcut=shortcut), 3, 224)
    assert found.parameters == parameters
    if macs:
        assert found.macs == macs
    if (name, shortcut) in GIGA_MACS:
        assert round(found.macs / 1e9, 4) == GIGA_MACS[name, shortcut]


@pytest.mark.parametrize("layers", [18, 34])
def test_a_plain_net_costs_what_option_a_does(layers):
    plain, residual = on_meta(f"plain{layers}"), on_meta(f"resnet{layers}", shortcut="A")
    assert cost(plain, 3, 224) == cost(residual, 3, 224)
    assert isinstance(cost(plain, 3, 224), Cost)


@pytest.mark.parametrize(("name", "expansion"), [("resnet34", 1), ("resnet50", 4), ("resnet50_v1", 4)])
def test_map_sizes_of_table_1(name, expansion):
    network = on_meta(name)
    sizes = {
        key: tuple(maps.shape) for key, maps in network.features(torch.empty(1, 3, 224, 224, device="meta")).items()
    }
    assert network.conv1(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 64, 112, 112)
    assert sizes == {
        "stem": (1, 64, 56, 56),
        "layer1": (1, 64 * expansion, 56, 56),
        "layer2": (1, 128 * expansion, 28, 28),
        "layer3": (1, 256 * expansion, 14, 14),
        "layer4": (1, 512 * expansion, 7, 7),
        "pooled": (1, 512 * expansion),
    }


def test_the_paper_has_its_stride_on_the_1x1_and_torchvision_on_the_3x3():
    v1, v15 = on_meta("resnet50_v1"), on_meta("resnet50")
    assert (v1.layer2[0].conv1.stride, v1.layer2[0].conv2.stride) == ((2, 2), (1, 1))
    assert (v15.layer2[0].conv1.stride, v15.layer2[0].conv2.stride) == ((1, 1), (2, 2))


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_agrees_with_torchvision(name):
    assert_agrees(getattr(resnet, name), getattr(torchvision_models, name))


def test_v1_agrees_with_torchvision_once_its_strides_are_moved():
    def with_strides_moved() -> nn.Module:
        network = torchvision_models.resnet50()
        for stage in (network.layer2, network.layer3, network.layer4):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        return network

    assert_agrees(resnet.resnet50_v1, with_strides_moved)


def test_plain_blocks_add_nothing():
    block = resnet.BasicBlock(4, 4, 1, shortcut=None).eval()
    with torch.no_grad():
        block.bn2.weight.zero_()
        assert block(torch.rand(1, 4, 5, 5)).abs().max() == 0
    assert block.downsample is None


def test_option_a_has_no_parameters_and_c_projects_everywhere():
    projections = {
        option: sum(
            name.endswith("downsample.0.weight") for name, _ in on_meta("resnet34", shortcut=option).named_parameters()
        )
        for option in "ABC"
    }
    assert projections == {"A": 0, "B": 3, "C": 16}  # C: 13 more than B, section 10


def test_convolutions_start_from_he_normal():
    weight = resnet.resnet18(num_classes=2).layer4[1].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)


def test_unknown_shortcut_is_refused():
    with pytest.raises(UsageError, match="no shortcut option 'D'"):
        resnet.resnet18(shortcut="D")  # type: ignore[arg-type]
