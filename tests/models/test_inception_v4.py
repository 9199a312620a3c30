from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost
from cnnlab.models.inception_v4 import inception_resnet_v1, inception_resnet_v2, inception_v4
from tests.models.oracle import assert_agrees
from tests.models.shapes import feature_shapes, on_meta

BUILDERS = [inception_v4, inception_resnet_v1, inception_resnet_v2]


@pytest.mark.parametrize(
    ("build", "parameters", "macs"),
    [
        (inception_v4, 42_679_816, 12_253_974_624),
        (inception_resnet_v1, 22_756_328, 6_206_361_696),
        (inception_resnet_v2, 55_843_464, 13_155_794_016),
    ],
)
def test_counts(build, parameters, macs):
    assert cost(on_meta(build), 3, 299) == Cost(parameters, macs)


def test_shapes_of_v4():
    net = on_meta(inception_v4)
    assert feature_shapes(net, 3, 75, 75)["pooled"] == (1536,)
    assert feature_shapes(net, 3, 299, 299) == {
        "stem": (64, 147, 147),
        "mixed_3a": (160, 73, 73),
        "mixed_4a": (192, 71, 71),
        "mixed_5a": (384, 35, 35),
        "inception_a": (384, 35, 35),
        "reduction_a": (1024, 17, 17),
        "inception_b": (1024, 17, 17),
        "reduction_b": (1536, 8, 8),
        "inception_c": (1536, 8, 8),
        "pooled": (1536,),
    }


def test_shapes_of_resnet_v1():
    net = on_meta(inception_resnet_v1)
    assert feature_shapes(net, 3, 75, 75)["pooled"] == (1792,)
    assert feature_shapes(net, 3, 299, 299) == {
        "conv2d_2b": (64, 147, 147),
        "conv2d_4b": (256, 35, 35),
        "repeat": (256, 35, 35),
        "mixed_6a": (896, 17, 17),
        "repeat_1": (896, 17, 17),
        "mixed_7a": (1792, 8, 8),
        "repeat_2": (1792, 8, 8),
        "pooled": (1792,),
    }


def test_shapes_of_resnet_v2():
    net = on_meta(inception_resnet_v2)
    assert feature_shapes(net, 3, 75, 75)["pooled"] == (1536,)
    assert feature_shapes(net, 3, 299, 299) == {
        "conv2d_2b": (64, 147, 147),
        "conv2d_4a": (192, 71, 71),
        "mixed_5b": (320, 35, 35),
        "repeat": (320, 35, 35),
        "mixed_6a": (1088, 17, 17),
        "repeat_1": (1088, 17, 17),
        "mixed_7a": (2080, 8, 8),
        "repeat_2": (2080, 8, 8),
        "block8": (2080, 8, 8),
        "conv2d_7b": (1536, 8, 8),
        "pooled": (1536,),
    }


def test_numbers_of_blocks_and_scales_and_the_released_epsilon():
    net = on_meta(inception_resnet_v2)
    assert {norm.eps for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-3}
    assert (len(net.repeat), len(net.repeat_1), len(net.repeat_2)) == (10, 20, 9)
    assert (net.repeat[0].scale, net.repeat_1[0].scale, net.repeat_2[0].scale) == (0.17, 0.10, 0.20)
    assert (net.block8.scale, net.block8.relu) == (1.0, False)
    drawn = on_meta(inception_resnet_v1)
    assert (len(drawn.repeat), len(drawn.repeat_1), len(drawn.repeat_2)) == (5, 10, 5)


def test_linear_convolutions_before_additions_have_biases_and_no_norm():
    block = on_meta(inception_resnet_v1).repeat[0]
    assert block.conv2d.bias is not None
    assert {name for name, _ in block.named_children()} == {"branch0", "branch1", "branch2", "conv2d"}


@pytest.mark.parametrize("build", [inception_v4, inception_resnet_v2])
def test_agrees_with_timm(build):
    assert_agrees(
        lambda: build(num_classes=10),
        lambda: timm.create_model(build.__name__, num_classes=10),
        shape=(2, 3, 107, 123),
    )


@pytest.mark.parametrize("build", BUILDERS)
def test_too_small(build):
    with pytest.raises(UsageError, match="75 pixels"):
        on_meta(build)(torch.empty(1, 3, 74, 74, device="meta"))
