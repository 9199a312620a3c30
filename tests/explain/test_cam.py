from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerActivation, LayerGradCam
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.explain.cam import Cam, class_activation_map, enlarge, scale, weigh
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network

from .networks import Places, Tiny, seeded


def alike(ours: Tensor, theirs: Tensor) -> float:
    return float(F.cosine_similarity(ours.flatten(1), theirs.flatten(1)).min())


@pytest.mark.parametrize(("name", "layer"), [("resnet20", "layer3"), ("highway19", "stage3"), ("nin_cifar", "")])
def test_grad_cam_is_captums(name: str, layer: str) -> None:
    torch.manual_seed(1)
    network, images, targets = create_model(name).eval(), torch.randn(3, 3, 32, 32), torch.tensor([0, 4, 9])
    layer = layer or next(each for each, module in network.named_modules() if isinstance(module, torch.nn.Conv2d))
    theirs = LayerGradCam(network, network.get_submodule(layer)).attribute(images, targets, relu_attributions=True)
    ours = class_activation_map(network, images, targets, layer=layer)
    theirs = theirs.detach()
    assert float(theirs.abs().max()) > 0
    assert alike(ours[:, None], theirs) >= 0.999


def test_a_named_intermediate_is_the_module_that_makes_it() -> None:
    network, images, targets = create_model("resnet20").eval(), torch.randn(2, 3, 32, 32), torch.tensor([1, 2])
    last = class_activation_map(network, images, targets)
    assert torch.allclose(last, class_activation_map(network, images, targets, layer="layer3.2"), atol=1e-6)


def test_layer_cam_is_made_of_captums_activations_and_torchs_gradients() -> None:
    network: Network = seeded(Tiny).eval()  # type: ignore[assignment]
    images, targets = torch.randn(2, 3, 8, 8), torch.tensor([0, 2])
    maps = LayerActivation(network, network.conv2).attribute(images)
    free = maps.detach().requires_grad_()
    logits = network.classifier(torch.relu(free).mean(dim=(2, 3)))
    [gradient] = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), free)
    expected = (gradient.clamp_min(0) * maps).sum(1).clamp_min(0)
    found = class_activation_map(network, images, targets, layer="conv2", method=Cam.LAYER_CAM)
    assert alike(found, expected) >= 0.999


def test_grad_cam_plus_plus_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]])
    gradient = torch.tensor([[[[1.0, -1.0]], [[2.0, 0.0]]]])
    # channel 0, sum of maps 3: alpha(1) = 1 / (2 + 3), the other has no positive gradient; channel 1: 4 / (8 + 24)
    weights = [1 / 5 * 1.0, 4 / 32 * 2.0]
    expected = [weights[0] * 1 + weights[1] * 0, weights[0] * 2 + weights[1] * 3]
    assert weigh(maps, gradient, Cam.GRAD_CAM_PLUS)[0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("method", Cam)
def test_a_known_map_is_found(method: Cam) -> None:
    network = Places(8)
    images = torch.rand(2, 3, 8, 8) + 0.1
    found = class_activation_map(network, images, torch.tensor([0, 0]), layer="red", method=method)
    red = images[:, 0] * network.get_buffer("mask") if method is Cam.LAYER_CAM else images[:, 0]
    assert alike(found, red) >= 0.9999
    nothing = class_activation_map(network, images, torch.tensor([1, 1]), layer="red", method=method)
    assert float(nothing.abs().max()) == 0  # nothing speaks for the other class


def test_the_network_stays_as_it_was() -> None:
    network = create_model("resnet20").train()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    class_activation_map(network, torch.randn(2, 3, 32, 32), torch.tensor([0, 1]))
    assert network.training
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())
    assert all(each.grad is None for each in network.parameters())


def test_frozen_weights_and_no_grad_do_not_matter() -> None:
    network = seeded(Tiny).requires_grad_(False)
    with torch.no_grad():
        found = class_activation_map(network, torch.randn(1, 3, 8, 8), torch.tensor([0]))  # type: ignore[arg-type]
    assert found.shape == (1, 4, 4)


def test_layers_without_places_are_refused() -> None:
    with pytest.raises(UsageError, match="channels and places"):
        class_activation_map(Tiny(), torch.randn(1, 3, 8, 8), torch.tensor([0]), layer="pooled")


def test_a_layer_that_forward_does_not_run_is_refused() -> None:
    network = Tiny()
    network.spare = torch.nn.Conv2d(3, 3, 1)
    with pytest.raises(UsageError, match="did not run"):
        class_activation_map(network, torch.randn(1, 3, 8, 8), torch.tensor([0]), layer="spare")


def test_enlarged_and_scaled_maps() -> None:
    heat = torch.rand(2, 4, 4)
    assert enlarge(heat, (32, 24)).shape == (2, 32, 24)
    assert scale(heat * 7).flatten(1).amax(1).tolist() == pytest.approx([1, 1])
    assert float(scale(torch.zeros(1, 2, 2)).abs().max()) == 0
