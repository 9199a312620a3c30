from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import FeatureSequence, LocalResponseNorm, linear_without_init


def test_lrn_is_the_papers_formula_borders_included():
    """Krizhevsky et al. 2012, section 3.3, written out: alpha multiplies the sum over at most n channels."""
    torch.manual_seed(0)
    maps = 50 * torch.randn(2, 8, 3, 3)
    n, alpha, beta, k = 5, 1e-4, 0.75, 2.0
    wanted = torch.empty_like(maps)
    for i in range(8):
        window = maps[:, max(0, i - n // 2) : min(7, i + n // 2) + 1]
        wanted[:, i] = maps[:, i] / (k + alpha * window.square().sum(dim=1)) ** beta
    torch.testing.assert_close(LocalResponseNorm(size=n, alpha=alpha, beta=beta, k=k)(maps), wanted)


def test_lrn_against_torchs_own_whose_alpha_is_size_times_as_large():
    maps = 50 * torch.randn(1, 8, 3, 3)
    theirs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(LocalResponseNorm()(maps), theirs(maps))


def test_feature_sequence_names_what_the_layer_before_returns():
    layers = [nn.Conv2d(3, 4, 1), nn.ReLU(), "first", nn.MaxPool2d(2), nn.Conv2d(4, 5, 1), "second"]
    body = FeatureSequence(layers, network="Net", in_channels=3, smallest=4, pooled_pixels=2)
    named = body(torch.randn(2, 3, 8, 8))
    assert {name: tuple(maps.shape) for name, maps in named.items()} == {
        "first": (2, 4, 8, 8),
        "second": (2, 5, 4, 4),
        "pooled": (2, 20),
    }
    assert list(body.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    with pytest.raises(UsageError, match=r"Net takes"):
        body(torch.randn(2, 3, 3, 8))


def test_linear_without_init_follows_the_device_of_its_context():
    with torch.device("meta"):
        assert linear_without_init(3, 4).weight.is_meta
    assert linear_without_init(3, 4).weight.shape == (4, 3)


@pytest.mark.parametrize("name", ["plain20", "resnet20", "plain18", "resnet18", "resnet50", "resnet18_cifar"])
def test_norms_can_be_left_out_and_convolutions_have_biases_then(name: str) -> None:
    with torch.device("meta"):
        bare, whole = create_model(name, norm=False), create_model(name)
    assert not [each for each in bare.modules() if isinstance(each, nn.BatchNorm2d)]
    assert all(each.bias is not None for each in bare.modules() if isinstance(each, nn.Conv2d))
    norms = [each for each in whole.modules() if isinstance(each, nn.BatchNorm2d)]
    less = sum(each.num_features for each in norms)  # a norm has a scale and a shift, a bias is one
    count = {each: sum(weight.numel() for weight in each.parameters()) for each in (bare, whole)}
    assert count[bare] == count[whole] - less


def test_plain20_without_norms_is_plain_cifar_without_norms() -> None:
    ours, other = create_model("plain20", norm=False), create_model("plain_cifar", norm=False)
    theirs = list(other.state_dict().values())
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs, strict=True)))
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(images), other(images))
