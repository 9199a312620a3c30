from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.bn_inception import bn_inception
from cnnlab.models.describe import Cost, cost
from tests.models.shapes import feature_shapes, on_meta

CADENE_INCEPTION_4A = [  # the layers of one inception in the published PyTorch weights
    "inception_4a_1x1",
    "inception_4a_3x3_reduce",
    "inception_4a_3x3",
    "inception_4a_double_3x3_reduce",
    "inception_4a_double_3x3_1",
    "inception_4a_double_3x3_2",
    "inception_4a_pool_proj",
]


def test_counts_without_and_with_idle_biases():
    assert cost(on_meta(bn_inception), 3, 224) == Cost(11_285_224, 2_032_600_064)
    assert cost(on_meta(bn_inception, conv_bias=True), 3, 224) == Cost(11_295_240, 2_032_600_064)


def test_shapes():
    """4c, 4d and 4e as the branches add up, not as the paper's column says."""
    assert feature_shapes(on_meta(bn_inception), 3, 224, 224) == {
        "conv1": (64, 112, 112),
        "conv2": (192, 56, 56),
        "inception_3a": (256, 28, 28),
        "inception_3b": (320, 28, 28),
        "inception_3c": (576, 14, 14),
        "inception_4a": (576, 14, 14),
        "inception_4b": (576, 14, 14),
        "inception_4c": (608, 14, 14),
        "inception_4d": (608, 14, 14),
        "inception_4e": (1056, 7, 7),
        "inception_5a": (1024, 7, 7),
        "inception_5b": (1024, 7, 7),
        "pooled": (1024,),
    }


def test_keys_are_those_of_the_published_weights():
    keys = on_meta(bn_inception, conv_bias=True).state_dict()
    wanted = [
        key
        for layer in CADENE_INCEPTION_4A
        for key in (f"{layer}.weight", f"{layer}.bias", *(f"{layer}_bn.{part}" for part in ("weight", "running_var")))
    ]
    first = ["conv1_7x7_s2.bias", "conv1_7x7_s2_bn.weight", "conv2_3x3_reduce.weight", "conv2_3x3_bn.bias"]
    assert not [key for key in (*first, *wanted, "last_linear.weight") if key not in keys]


def test_stride_is_in_the_3x3_convolutions_of_3c_and_4e():
    net = on_meta(bn_inception)
    for name in ("3c", "4e"):
        assert not hasattr(net, f"inception_{name}_1x1")
        assert getattr(net, f"inception_{name}_3x3").stride == (2, 2)
        assert getattr(net, f"inception_{name}_double_3x3_1").stride == (1, 1)
        assert getattr(net, f"inception_{name}_double_3x3_2").stride == (2, 2)


@pytest.mark.parametrize("pixels", [7, 30, 33, 45])
def test_other_sizes(pixels):
    assert bn_inception(num_classes=3).eval()(torch.zeros(1, 3, pixels, pixels + 1)).shape == (1, 3)


def test_too_small():
    with pytest.raises(UsageError, match="7 pixels"):
        on_meta(bn_inception)(torch.empty(1, 3, 6, 6, device="meta"))
