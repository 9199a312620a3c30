from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models import vgg
from cnnlab.models.describe import Cost, cost
from cnnlab.models.layers import LocalResponseNorm
from tests.models.oracle import assert_agrees
from tests.models.shapes import feature_shapes, on_meta

PAPER = {  # name: weight layers, parameters, MACs
    "vgg11": (11, 132_863_336, 7_609_090_048),
    "vgg11_lrn": (11, 132_863_336, 7_609_090_048),
    "vgg13": (13, 133_047_848, 11_308_466_176),
    "vgg16_c": (16, 133_638_952, 11_770_888_192),
    "vgg16": (16, 138_357_544, 15_470_264_320),
    "vgg19": (19, 143_667_240, 19_632_062_464),
    "vgg11_bn": (11, 132_868_840, 7_609_090_048),
    "vgg13_bn": (13, 133_053_736, 11_308_466_176),
    "vgg16_bn": (16, 138_365_992, 15_470_264_320),
    "vgg19_bn": (19, 143_678_248, 19_632_062_464),
}
TORCHVISION = [name for name in PAPER if name not in ("vgg11_lrn", "vgg16_c")]
CONV_KEYS = {  # torchvision's places of the convolutions
    "vgg11": (0, 3, 6, 8, 11, 13, 16, 18),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg13_bn": (0, 3, 7, 10, 14, 17, 21, 24, 28, 31),
}


@pytest.mark.parametrize("name", PAPER)
def test_depth_and_counts(name):
    net = on_meta(getattr(vgg, name))
    weighted = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    layers, parameters, macs = PAPER[name]
    assert len(weighted) == layers
    assert cost(net, 3, 224) == Cost(parameters, macs)


@pytest.mark.parametrize("name", ["vgg11", "vgg16_c", "vgg19"])
def test_shapes(name):
    assert feature_shapes(on_meta(getattr(vgg, name)), 3, 224, 224) == {
        "stage1": (64, 112, 112),
        "stage2": (128, 56, 56),
        "stage3": (256, 28, 28),
        "stage4": (512, 14, 14),
        "stage5": (512, 7, 7),
        "pooled": (25_088,),
    }


@pytest.mark.parametrize("name", CONV_KEYS)
def test_convolutions_lie_where_torchvision_has_them(name):
    net = on_meta(getattr(vgg, name))
    keys = [int(key.split(".")[1]) for key, tensor in net.state_dict().items() if tensor.ndim == 4]
    assert tuple(keys) == CONV_KEYS[name]


def test_column_c_has_three_1x1_convolutions_at_the_end_of_stages_3_to_5():
    kernels = [layer.kernel_size[0] for layer in on_meta(vgg.vgg16_c).modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


def test_lrn_only_after_conv1_with_alexnets_constants():
    net = on_meta(vgg.vgg11_lrn)
    places = [place for place, layer in enumerate(net.features) if isinstance(layer, LocalResponseNorm)]
    assert places == [2]
    norm = net.features[2]
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 1e-4, 0.75, 2.0)


@pytest.mark.parametrize("name", TORCHVISION)
def test_agrees_with_torchvision(name):
    theirs = getattr(torchvision.models, name)
    assert_agrees(
        lambda: getattr(vgg, name)(num_classes=10),
        lambda: theirs(num_classes=10, init_weights=False),
        shape=(1, 3, 32, 48),
    )


def test_features_is_a_module_and_a_function():
    net = on_meta(vgg.vgg11)
    assert isinstance(net.features, nn.Sequential)
    assert net.get_submodule("features.0") is net.features[0]
    assert list(net.features(torch.empty(1, 3, 32, 32, device="meta")))[-1] == "pooled"


def test_starts_by_glorots_rule():
    net = vgg.vgg11(num_classes=3)
    weight = net.features[3].weight  # 64 to 128 channels
    assert weight.var().item() == pytest.approx(2 / (64 * 9 + 128 * 9), rel=0.05)
    assert net.classifier[3].weight.var().item() == pytest.approx(2 / (4096 + 4096), rel=0.05)
    assert not net.features[3].bias.any()


def test_smallest_size():
    with pytest.raises(UsageError, match="32 pixels"):
        on_meta(vgg.vgg16)(torch.empty(1, 3, 31, 224, device="meta"))


def test_for_small_images_the_fully_connected_layers_are_small():
    net = vgg.vgg11_cifar()
    shapes = [tuple(net.get_parameter(f"classifier.{index}.weight").shape) for index in (0, 3, 6)]
    assert shapes == [(512, 512), (512, 512), (10, 512)]
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
