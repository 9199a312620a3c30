from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost, count_parameters
from cnnlab.models.nin import nin_cifar, nin_imagenet
from tests.models.shapes import feature_shapes, on_meta


def test_cifar_counts_are_the_authors():
    net = on_meta(nin_cifar)
    assert cost(net, 3, 32) == Cost(
        966_986,
        (192 * 75 + 160 * 192 + 96 * 160) * 1024
        + (192 * 96 * 25 + 2 * 192 * 192) * 256
        + (192 * 192 * 9 + 192 * 192 + 192 * 10) * 64,
    )
    assert round(cost(net, 3, 32).macs / 1e6, 2) == 222.49
    assert count_parameters(on_meta(nin_cifar, num_classes=100)) == 984_356


def test_imagenet_counts_are_the_model_zoos():
    net = on_meta(nin_imagenet)
    assert cost(net, 3, 224).parameters == 7_595_176
    assert round(cost(net, 3, 224).macs / 1e9, 4) == 1.1002
    assert round(cost(net, 3, 227).macs / 1e9, 4) == 1.1060


def test_cifar_shapes():
    assert feature_shapes(on_meta(nin_cifar), 3, 32, 32) == {
        "mlpconv1": (96, 32, 32),
        "pool1": (96, 16, 16),
        "mlpconv2": (192, 16, 16),
        "pool2": (192, 8, 8),
        "mlpconv3": (192, 8, 8),
        "flat": (192 * 8 * 8,),
    }


@pytest.mark.parametrize(("pixels", "first"), [(224, 54), (227, 55)])
def test_imagenet_shapes(pixels, first):
    assert feature_shapes(on_meta(nin_imagenet), 3, pixels, pixels) == {
        "mlpconv1": (96, first, first),
        "pool1": (96, 27, 27),
        "mlpconv2": (256, 27, 27),
        "pool2": (256, 13, 13),
        "mlpconv3": (384, 13, 13),
        "pool3": (384, 6, 6),
        "mlpconv4": (1024, 6, 6),
        "flat": (1024 * 6 * 6,),
    }


def test_relu_follows_the_class_maps_too():
    assert nin_cifar()(torch.randn(4, 3, 32, 32)).min() >= 0


def test_logits_are_averages_of_the_class_maps():
    net = nin_cifar().eval()
    images = torch.rand(2, 3, 32, 32)
    named = net.features(images)
    maps = torch.relu(net.classifier.cccp(named["mlpconv3"]))
    assert maps.shape == (2, 10, 8, 8)
    torch.testing.assert_close(net(images), maps.mean(dim=(2, 3)))


def test_stated_starts():
    cifar, imagenet = nin_cifar(), nin_imagenet()
    for name, weight in cifar.named_parameters():
        assert weight.std().item() == pytest.approx(0.05, rel=0.1) if name.endswith("weight") else not weight.any()
    stds = {name: round(weight.std().item(), 2) for name, weight in imagenet.named_parameters() if "weight" in name}
    narrow = {name for name, std in stds.items() if std == 0.01}
    assert narrow == {"mlpconv.0.conv.weight", "mlpconv.2.conv.weight", "classifier.cccp.weight"}
    assert set(stds.values()) == {0.01, 0.05}


def test_dropout_is_after_pooling_only():
    net = nin_cifar(dropout=1.0).train()
    named = net.features(torch.rand(1, 3, 32, 32))
    assert named["mlpconv1"].any()
    assert named["pool1"].any()
    assert not named["mlpconv2"].any()


@pytest.mark.parametrize(("build", "smallest"), [(nin_cifar, 4), (nin_imagenet, 39)])
def test_smallest_size(build, smallest):
    net = build(num_classes=3).eval()
    assert net(torch.zeros(1, 3, smallest, smallest)).shape == (1, 3)
    with pytest.raises(UsageError, match=f"{smallest} pixels"):
        net(torch.zeros(1, 3, smallest, smallest - 1))
