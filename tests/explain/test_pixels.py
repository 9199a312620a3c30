from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients, Occlusion, Saliency
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.explain.pixels import gradients, integrated_gradients, occlusion
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network

from .networks import Places, Tiny


@pytest.fixture(scope="module")
def subject() -> tuple[Network, Tensor, Tensor]:
    torch.manual_seed(2)
    return create_model("resnet20").eval(), torch.randn(2, 3, 16, 16), torch.tensor([3, 7])


def alike(ours: Tensor, theirs: Tensor) -> float:
    return float(F.cosine_similarity(ours.flatten(1), theirs.flatten(1)).min())


def test_gradients_are_captums(subject: tuple[Network, Tensor, Tensor]) -> None:
    network, images, targets = subject
    theirs = Saliency(network).attribute(images.clone().requires_grad_(), targets, abs=False)
    assert alike(gradients(network, images, targets), theirs) >= 0.9999


def test_integrated_gradients_are_captums(subject: tuple[Network, Tensor, Tensor]) -> None:
    network, images, targets = subject
    theirs = IntegratedGradients(network).attribute(images.clone(), target=targets, n_steps=20)
    assert alike(integrated_gradients(network, images, targets, steps=20), theirs.float()) >= 0.999


def test_integrated_gradients_sum_to_the_change_of_the_logit() -> None:
    torch.manual_seed(0)
    network, images, targets = Tiny().eval(), torch.randn(2, 3, 8, 8), torch.tensor([0, 2])
    found = integrated_gradients(network, images, targets, baseline=0.5, steps=100).flatten(1).sum(1)
    with torch.no_grad():
        change = (network(images) - network(torch.full_like(images, 0.5))).gather(1, targets[:, None])[:, 0]
    assert found.tolist() == pytest.approx(change.tolist(), abs=2e-3)


@pytest.mark.parametrize(("window", "stride"), [(4, 4), (4, 2)])
def test_occlusion_is_captums(window: int, stride: int, subject: tuple[Network, Tensor, Tensor]) -> None:
    network, images, targets = subject
    with torch.no_grad():
        theirs = Occlusion(network).attribute(
            images, sliding_window_shapes=(3, window, window), strides=(3, stride, stride), target=targets
        )
    ours = occlusion(network, images, targets, window=window, stride=stride)
    assert alike(ours, theirs[:, 0]) >= 0.999


def test_occlusion_finds_the_only_place_that_counts() -> None:
    network, images = Places(8), torch.ones(1, 3, 8, 8)
    found = occlusion(network, images, torch.tensor([0]), window=3, stride=2)[0]
    assert bool((found[:, :3] > 0).all())
    assert float(found[:, 6:].abs().max()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (4, 0), (2, 3), (9, 1)])
def test_windows_that_make_no_sense_are_refused(window: int, stride: int) -> None:
    with pytest.raises(UsageError, match=f"window {window}"):
        occlusion(Tiny(), torch.zeros(1, 3, 8, 8), torch.tensor([0]), window=window, stride=stride)
