from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cnnlab.evaluate.predict import predict_probabilities, view_probabilities
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.catalog import create_model


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("resnet20", num_classes=5).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def softmax(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        answers: Tensor = network(images).softmax(1)
    return answers


def moved(images: Tensor, pixels: int) -> Tensor:
    """The images moved down and right, row by row and column by column, edges reflected."""
    side = images.shape[2]
    places = [abs(i - pixels) if i - pixels < side else 2 * (side - 1) - (i - pixels) for i in range(side)]
    return images[:, :, places][:, :, :, places]


def test_center_is_the_plain_answer(network: nn.Module, images: Tensor) -> None:
    found = view_probabilities(network, images, PROTOCOLS["center"])
    torch.testing.assert_close(found, softmax(network, images))


def test_flip_averages_the_image_and_its_mirror(network: nn.Module, images: Tensor) -> None:
    expected = (softmax(network, images) + softmax(network, torch.flip(images, [3]))) / 2
    torch.testing.assert_close(view_probabilities(network, images, PROTOCOLS["flip"]), expected)


def test_shift6_weighs_the_unmoved_views_for_half(network: nn.Module, images: Tensor) -> None:
    still = (softmax(network, images) + softmax(network, images.flip(3))) / 2
    views = [moved(images, pixels) for pixels in (-1, 1)]
    around = sum(softmax(network, view) + softmax(network, view.flip(3)) for view in views) / 4
    expected = (still + around) / 2
    torch.testing.assert_close(view_probabilities(network, images, PROTOCOLS["shift6"]), expected)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_probabilities_sum_to_one(name: str, network: nn.Module, images: Tensor) -> None:
    sums = view_probabilities(network, images, PROTOCOLS[name]).sum(1)
    torch.testing.assert_close(sums, torch.ones(4))


def test_batches_come_back_whole_and_in_order(network: nn.Module, images: Tensor) -> None:
    labels = torch.tensor([3, 1, 4, 1])
    batches = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    found, seen = predict_probabilities(network, batches, PROTOCOLS["center"])
    torch.testing.assert_close(found, softmax(network, images))
    assert torch.equal(seen, labels)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool, network: nn.Module, images: Tensor) -> None:
    network.train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    predict_probabilities(network, [(images, torch.zeros(4, dtype=torch.int64))], PROTOCOLS["flip"])
    assert network.training is training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_mode_is_put_back_after_a_failure_too(network: nn.Module) -> None:
    network.train()
    with pytest.raises(RuntimeError):
        predict_probabilities(network, [(torch.rand(1, 7, 16, 16), torch.zeros(1))], PROTOCOLS["center"])
    assert network.training
