"""Pre-activation networks, against He et al. 2016 and timm."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models import resnet_v2
from cnnlab.models.describe import cost
from tests.models.oracle import assert_agrees

COUNTS = [  # facts/networks.md section 0: builder, options, pixels, parameters, MACs as rounded there
    ("resnetv2_50", {}, 224, 25_549_352, 4.0892e9),
    ("resnetv2_101", {}, 224, 44_541_480, 7.8014e9),
    ("resnetv2_152", {}, 224, 60_185_128, 11.5136e9),
    ("resnetv2_200", {}, 224, 64_666_152, 15.0075e9),
    ("resnetv2_200", {}, 320, 64_666_152, 30.63e9),
    ("resnetv2_110", {}, 32, 1_727_962, 252.89e6),
    ("resnetv2_110", {"shortcut": "B"}, 32, 1_730_522, 253.15e6),
    ("resnetv2_164", {}, 32, 1_703_258, 244.5e6),
    ("resnetv2_164", {"num_classes": 100}, 32, 1_726_388, 244.5e6),
    ("resnetv2_1001", {}, 32, 10_327_706, 1.4878e9),
    ("resnetv2_1001", {"num_classes": 100}, 32, 10_350_836, 1.4878e9),
]


def on_meta(name: str, **options: object) -> resnet_v2.ResNetV2:
    with torch.device("meta"):
        return getattr(resnet_v2, name)(**options)


@pytest.mark.parametrize(("name", "options", "pixels", "parameters", "macs"), COUNTS)
def test_counts(name, options, pixels, parameters, macs):
    found = cost(on_meta(name, **options), 3, pixels)
    assert found.parameters == parameters
    assert found.macs == pytest.approx(macs, rel=2e-4)  # the table's rounding


def test_map_sizes_of_the_imagenet_network():
    features = on_meta("resnetv2_50").features(torch.empty(1, 3, 224, 224, device="meta"))
    assert {name: tuple(maps.shape[1:]) for name, maps in features.items()} == {
        "stem": (64, 56, 56),
        "stage1": (256, 56, 56),
        "stage2": (512, 28, 28),
        "stage3": (1024, 14, 14),
        "stage4": (2048, 7, 7),
        "norm": (2048, 7, 7),
        "pooled": (2048,),
    }


def test_map_sizes_of_the_cifar_bottleneck_network():
    features = on_meta("resnetv2_164").features(torch.empty(1, 3, 32, 32, device="meta"))
    assert [tuple(maps.shape[1:]) for maps in features.values()] == [
        (16, 32, 32),
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (256, 8, 8),
        (256,),
    ]


@pytest.mark.parametrize("name", ["resnetv2_50", "resnetv2_101", "resnetv2_152"])
def test_agrees_with_timm(name):
    assert_agrees(getattr(resnet_v2, name), lambda: timm.create_model(name))


def test_only_shape_changing_units_project_the_activated_maps_without_norm():
    network = on_meta("resnetv2_164")
    with_projection = [
        (stage, unit)
        for stage, units in enumerate(network.stages)
        for unit, module in enumerate(units.blocks)
        if module.downsample is not None
    ]
    assert with_projection == [(0, 0), (1, 0), (2, 0)]
    assert [type(part) for part in network.stages[0].blocks[0].downsample] == [nn.Conv2d]

    unit = resnet_v2.PreActBottleneck(8, 4, 1, stride_on="1x1").eval()
    nn.init.zeros_(unit.conv3.weight)
    nn.init.constant_(unit.norm1.bias, -100.0)  # nothing survives the first ReLU
    with torch.no_grad():
        assert unit(torch.randn(1, 8, 4, 4)).abs().max() == 0


def test_identity_units_leave_the_sum_alone():
    unit = resnet_v2.PreActBasic(4, 4, 1).eval()
    nn.init.zeros_(unit.conv2.weight)
    maps = torch.randn(2, 4, 3, 3)  # negative numbers pass: no activation after the addition
    with torch.no_grad():
        assert torch.equal(unit(maps), maps)


def test_strides_sit_where_the_authors_have_them():
    imagenet, cifar = on_meta("resnetv2_50").stages[1].blocks[0], on_meta("resnetv2_164").stages[1].blocks[0]
    assert (imagenet.conv1.stride, imagenet.conv2.stride) == ((1, 1), (2, 2))
    assert (cifar.conv1.stride, cifar.conv2.stride) == ((2, 2), (1, 1))


def test_the_classifier_keeps_timms_shape_and_can_be_linear():
    network = on_meta("resnetv2_50")
    assert network.state_dict()["head.fc.weight"].shape == (1000, 2048, 1, 1)
    network.classifier = nn.Linear(2048, 7, device="meta")
    assert network(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 7)


def test_unknown_shortcut_is_refused():
    with pytest.raises(UsageError, match="no shortcut option 'C'"):
        resnet_v2.resnetv2_110(shortcut="C")  # type: ignore[arg-type]
