from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.explain.layers import default_layer, evaluating, first_filters, layer_shapes, recorded
from cnnlab.models.catalog import MODELS, create_model

from .networks import Tiny

# The last named maps of at least 4 pixels a side, by the tables of the papers; written by hand.
DEFAULTS = {
    "lenet5": "s4",
    "lenet_caffe": "pool2",
    "nin_cifar": "mlpconv3",
    "nin_imagenet": "mlpconv4",
    "alexnet": "pool5",
    "alexnet_2012": "pool5",
    "vgg16": "stage5",
    "googlenet": "inception5b",
    "bn_inception": "inception_5b",
    "inception_v3": "Mixed_7c",
    "inception_v4": "inception_c",
    "inception_resnet_v2": "conv2d_7b",
    "highway19": "conv",
    "plain20": "layer3",
    "resnet18": "layer4",
    "resnet50": "layer4",
    "resnet20": "layer3",
    "resnetv2_50": "norm",
    "resnetv2_110": "norm",
    "resnet18_cifar": "layer4",
    "seresnet50": "layer4",
    "senet154": "layer4",
    "wrn28_10": "norm",
    "resnext29_8x64d": "layer3",
    "densenet121": "norm5",
    "densenet40_12": "norm4",
    "res2net50_26w_4s": "layer4",
    "airnet": "group2",
}


def check_default(name: str) -> str:
    """The default layer of a network for its own input, once it is known that the logits depend on it."""
    with torch.device("meta"):
        network = create_model(name).eval()
        layer = default_layer(network, MODELS[name].sizes)
        images = torch.empty(1, network.in_channels, *MODELS[name].sizes, requires_grad=True)
        with recorded(network, layer) as found:
            logits = network(images)
        [gradient] = torch.autograd.grad(logits.sum(), found[-1])
    assert gradient.shape == found[-1].shape
    assert found[-1].ndim == images.ndim
    return layer


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_default_layer_is_the_last_that_tells_places(name: str) -> None:
    assert check_default(name) == DEFAULTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in (*DEFAULTS, "perceptron")])
def test_every_other_network_has_one(name: str) -> None:
    assert check_default(name)


def test_a_network_without_maps_says_what_to_use() -> None:
    with pytest.raises(UsageError, match="integrated-gradients"):
        default_layer(create_model("perceptron"), (28, 28))


def test_layers_are_found_by_either_name_and_hooks_go() -> None:
    network, images = Tiny(), torch.randn(2, 3, 8, 8)
    with recorded(network, "second") as by_feature, recorded(network, "conv2") as by_module:
        network(images)
    assert torch.equal(by_feature[0], torch.relu(by_module[0]))
    assert not network.conv2._forward_hooks
    assert "features" not in network.__dict__


def test_features_that_are_a_module_are_recorded() -> None:
    network, images = create_model("densenet40_12").eval(), torch.randn(1, 3, 32, 32)
    with recorded(network, "norm4") as found, torch.no_grad():
        network(images)
    assert found[0].shape == (1, 448, 8, 8)


def test_an_unknown_layer_is_told_with_the_nearest() -> None:
    network = Tiny()
    with pytest.raises(UnknownNameError, match="'second'"), recorded(network, "secund"):
        network(torch.randn(1, 3, 8, 8))
    assert "features" not in network.__dict__
    densenet = create_model("densenet40_12")
    with pytest.raises(UnknownNameError, match="'norm4'"), recorded(densenet, "norm5"):
        densenet(torch.randn(1, 3, 32, 32))


def test_a_module_without_one_tensor_is_refused() -> None:
    network = create_model("densenet40_12")
    with pytest.raises(UsageError, match="not one tensor"), recorded(network, "features"):
        network(torch.randn(1, 3, 32, 32))


def test_shapes_leave_the_mode_as_it_was() -> None:
    network = Tiny().train()
    assert layer_shapes(network, (8, 8)) == {"first": (6, 8, 8), "second": (8, 4, 4), "pooled": (8,)}
    assert network.training
    with evaluating(network):
        assert not network.training


def test_first_filters() -> None:
    name, weights = first_filters(create_model("resnet20"))
    assert (name, weights.shape) == ("conv1", (16, 3, 3, 3))
    with pytest.raises(UsageError, match="no convolution"):
        first_filters(create_model("perceptron"))
