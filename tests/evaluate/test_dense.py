"""Dense testing: at the training size the network itself, at larger sizes its layers at every place."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.evaluate.dense import FullyConvolutional, fully_convolutional
from cnnlab.models.layers import Network
from cnnlab.models.lenet import LeNet5, LeNet5Modern

from ..contract.networks import make

# Networks with fully-connected layers, each with a training size that is cheap.
CONVERTED = {
    "alexnet": 224,
    "alexnet_2012": 227,
    "caffenet": 227,
    "lenet5": 32,
    "lenet5_modern": 32,
    "lenet_caffe": 28,
    "vgg11": 64,
    "vgg11_lrn": 33,
    "vgg16_bn": 32,
}
# One of each family that ends in a global average.
AVERAGED = (
    "resnet18",
    "plain20",
    "resnetv2_110",
    "densenet40_12",
    "googlenet",
    "googlenet_2014",
    "bn_inception",
    "highway19",
    "wrn16_8",
    "legacy_seresnet50",
    "resnext50_32x4d",
    "res2net50_26w_4s",
    "resnet_matlab",
    "resnet18_cifar",
)


def network(name: str) -> Network:
    return make(name, **({"num_classes": 10} if name == "lenet5" else {})).eval()


def images(net: Network, *sizes: int) -> Tensor:
    return torch.randn(1, net.in_channels, *sizes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "pixels"), CONVERTED.items(), ids=CONVERTED)
@torch.inference_mode()
def test_at_the_training_size_it_is_the_network_itself(name: str, pixels: int) -> None:
    net = network(name)
    dense = fully_convolutional(net, pixels)
    assert isinstance(dense, FullyConvolutional)
    batch = images(net, pixels, pixels)
    expected = net(batch)
    torch.testing.assert_close(dense(batch), expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


@pytest.mark.parametrize("name", AVERAGED)
@torch.inference_mode()
def test_a_network_with_global_average_pooling_classifies_every_place_as_it_is(name: str) -> None:
    net = network(name)
    assert fully_convolutional(net, 32) is net
    batch = images(net, 64, 96)
    features = net.features(batch)
    maps = [each for each in features.values() if each.ndim == 4][-1]
    places = maps.flatten(2).permute(0, 2, 1).flatten(0, 1)  # (places, C)
    assert len(places) > 1
    class_map = net.classifier(places)
    expected = net(batch)
    scale = float(expected.abs().max())
    torch.testing.assert_close(class_map.mean(dim=0, keepdim=True), expected, atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("kind", [LeNet5, LeNet5Modern])
@torch.inference_mode()
def test_a_place_of_the_class_map_is_the_network_on_that_window(kind: type[LeNet5 | LeNet5Modern]) -> None:
    # No padding anywhere and a stride of 4 in all: place (i, j) sees pixels 4 i to 4 i + 32, 4 j to 4 j + 32.
    torch.manual_seed(0)
    net = kind().eval()
    image = images(net, 40, 44)
    class_map = FullyConvolutional(net, 32).class_map(image)
    assert class_map.shape == (1, 10, 3, 4)
    for row in range(3):
        for column in range(4):
            window = image[:, :, 4 * row : 4 * row + 32, 4 * column : 4 * column + 32]
            torch.testing.assert_close(class_map[:, :, row, column], net(window), atol=1e-4, rtol=1e-5)


@torch.inference_mode()
def test_the_class_map_is_what_fully_connected_layers_are_as_convolutions() -> None:
    net = network("alexnet")
    image = images(net, 256, 288)
    *_, maps, _ = net.features(image).values()
    fc6, fc7, fc8 = (layer for layer in net.classifier.modules() if isinstance(layer, torch.nn.Linear))
    hidden = F.relu(F.conv2d(maps, fc6.weight.view(-1, 256, 6, 6), fc6.bias))
    hidden = F.relu(F.conv2d(hidden, fc7.weight[:, :, None, None], fc7.bias))
    expected = F.conv2d(hidden, fc8.weight[:, :, None, None], fc8.bias)
    found = FullyConvolutional(net, 224).class_map(image)
    assert found.shape == (1, 5, 2, 3)
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


@pytest.mark.parametrize("name", ["perceptron", "resnet18_1d", "resnet18_3d"])
def test_a_network_that_has_no_dense_form_is_refused_by_name(name: str) -> None:
    net = network(name)
    with pytest.raises(UsageError, match=f"{type(net).__name__} .*cannot be tested densely; use --protocol center"):
        fully_convolutional(net, 28)


@pytest.mark.parametrize("name", ["inception_v3", "inception_v4", "inception_resnet_v2", "nin_cifar", "airnet"])
def test_others_take_any_size_as_they_are(name: str) -> None:
    net = network(name)
    assert fully_convolutional(net, 75) is net
    with torch.inference_mode():
        assert net(images(net, 80, 107)).shape == (1, 5)


def test_an_image_smaller_than_the_training_size_is_refused() -> None:
    with pytest.raises(UsageError, match="27 pixels; LeNet5 was trained on 32 and takes no fewer"):
        FullyConvolutional(LeNet5(), 32)(torch.zeros(1, 1, 27, 40))


def test_a_replaced_classifier_is_used() -> None:
    net = network("lenet5_modern")
    net.classifier = torch.nn.Linear(84, 2)
    with torch.inference_mode():
        assert fully_convolutional(net, 32)(torch.zeros(1, 1, 64, 32)).shape == (1, 2)
