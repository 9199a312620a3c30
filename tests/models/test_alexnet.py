from __future__ import annotations

import pytest
import torch
import torchvision

from cnnlab.errors import UsageError
from cnnlab.models.alexnet import alexnet, alexnet_2012, caffenet
from cnnlab.models.describe import Cost, cost, count_parameters
from tests.models.oracle import assert_agrees
from tests.models.shapes import feature_shapes, on_meta

PAPER = {  # parameters of each layer of the grouped network
    "conv1": 34_944,
    "conv2": 307_456,
    "conv3": 885_120,
    "conv4": 663_936,
    "conv5": 442_624,
    "fc6": 37_752_832,
    "fc7": 16_781_312,
    "fc8": 4_097_000,
}


@pytest.mark.parametrize("build", [alexnet_2012, caffenet])
def test_grouped_counts(build):
    net = on_meta(build)
    assert {name: count_parameters(getattr(net, name)) for name in PAPER} == PAPER
    assert cost(net, 3, 227) == Cost(60_965_224, 724_406_816)


def test_one_tower_counts():
    assert cost(on_meta(alexnet), 3, 224) == Cost(61_100_840, 714_188_480)


def test_shapes_of_the_paper():
    assert feature_shapes(on_meta(alexnet_2012), 3, 227, 227) == {
        "conv1": (96, 55, 55),
        "pool1": (96, 27, 27),
        "conv2": (256, 27, 27),
        "pool2": (256, 13, 13),
        "conv3": (384, 13, 13),
        "conv4": (384, 13, 13),
        "conv5": (256, 13, 13),
        "pool5": (256, 6, 6),
        "fc6": (4096,),
        "fc7": (4096,),
    }


def test_shapes_of_torchvision():
    assert feature_shapes(on_meta(alexnet), 3, 224, 224) == {
        "conv1": (64, 55, 55),
        "pool1": (64, 27, 27),
        "conv2": (192, 27, 27),
        "pool2": (192, 13, 13),
        "conv3": (384, 13, 13),
        "conv4": (256, 13, 13),
        "conv5": (256, 13, 13),
        "pool5": (256, 6, 6),
        "pooled": (9216,),
    }


def test_constants_of_lrn():
    """The paper's alpha multiplies the sum; Caffe divides it by the size, and its k is 1."""
    paper, caffe = on_meta(alexnet_2012).norm, on_meta(caffenet).norm
    assert (paper.size, paper.alpha, paper.beta, paper.k) == (5, 1e-4, 0.75, 2.0)
    assert (caffe.size, caffe.alpha, caffe.beta, caffe.k) == (5, 1e-4 / 5, 0.75, 1.0)


def test_order_of_norm_and_pool():
    maps = torch.rand(1, 96, 9, 9) * 100
    paper, caffe = on_meta(alexnet_2012), on_meta(caffenet)
    pool = torch.nn.MaxPool2d(3, stride=2)
    assert torch.equal(paper.pool(maps), pool(paper.norm(maps)))
    assert torch.equal(caffe.pool(maps), caffe.norm(pool(maps)))


def test_agrees_with_torchvision():
    assert_agrees(alexnet, torchvision.models.alexnet, shape=(2, 3, 63, 80))


def test_starts_as_the_paper():
    net = alexnet_2012(num_classes=10)
    ones = {name for name, bias in net.named_parameters() if name.endswith("bias") and (bias == 1).all()}
    zeros = {name for name, bias in net.named_parameters() if name.endswith("bias") and not bias.any()}
    assert ones == {f"{layer}.bias" for layer in ("conv2", "conv4", "conv5", "fc6", "fc7")}
    assert zeros == {f"{layer}.bias" for layer in ("conv1", "conv3", "fc8")}
    assert net.conv3.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert net.fc7.weight.std().item() == pytest.approx(0.01, rel=0.02)
    tower = alexnet(num_classes=10)
    assert [i for i in (0, 3, 6, 8, 10) if (tower.features[i].bias == 1).all()] == [3, 8, 10]
    assert [i for i in (1, 4, 6) if (tower.classifier[i].bias == 1).all()] == [1, 4]


def test_sizes():
    with pytest.raises(UsageError, match="227x227 pixels only"):
        on_meta(alexnet_2012)(torch.empty(1, 3, 228, 228, device="meta"))
    with pytest.raises(UsageError, match="63 pixels"):
        on_meta(alexnet)(torch.empty(1, 3, 62, 224, device="meta"))
    with pytest.raises(UsageError, match=r"takes \(N, 3, H, W\)"):
        on_meta(alexnet)(torch.empty(1, 1, 224, 224, device="meta"))
