from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cnnlab.models.catalog import create_model
from cnnlab.models.fold import fold_norms, foldable_norms
from cnnlab.models.layers import Network


class Small(Network):
    """A convolution and a norm; `used` says what else becomes of the convolution's output."""

    def __init__(self, used: str = "once") -> None:
        super().__init__()
        self.num_classes, self.in_channels, self.used = 4, 3, used
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, track_running_stats=used != "no statistics")

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        maps = torch.relu_(maps) if self.used == "in between" else maps
        normalised = self.norm(maps)
        if self.used == "shortcut":
            normalised = normalised + maps
        if self.used == "norm twice":
            normalised = self.norm(normalised)
        if self.used == "conv twice":
            normalised = normalised + self.conv(images)
        return normalised.mean(dim=(2, 3))


def with_statistics(network: nn.Module) -> None:
    """Norms that change what they are given."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)


def test_a_norm_is_folded_into_the_convolution_before_it() -> None:
    torch.manual_seed(0)
    network = Small().double().eval()
    with_statistics(network)
    folded = fold_norms(network, (8, 8))
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(folded(images), network(images))
    assert isinstance(folded.norm, nn.Identity)
    assert isinstance(network.norm, nn.BatchNorm2d)


@pytest.mark.parametrize(
    "used", ["in between", "shortcut", "norm twice", "conv twice", "no statistics"], ids=lambda used: used
)
def test_a_norm_that_is_not_alone_with_its_convolution_stays(used: str) -> None:
    network = Small(used).double().eval()
    with_statistics(network)
    assert foldable_norms(network, (8, 8)) == {}
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(fold_norms(network, (8, 8))(images), network(images))


@pytest.mark.parametrize(
    ("name", "norms"),
    [("resnet20", 19), ("airnet", 3), ("seresnet50", 53), ("resnetv2_110", 54), ("resnet18_1d", 20), ("lenet5", 0)],
)
def test_how_many_norms_can_be_folded(name: str, norms: int) -> None:
    network = create_model(name).eval()
    sizes = {"resnet18_1d": (64,)}.get(name, (32, 32))
    assert len(foldable_norms(network, sizes)) == norms


def test_a_network_that_trains_is_left_in_training() -> None:
    network = create_model("resnet20").train()
    folded = fold_norms(network, (32, 32))
    assert network.training
    assert not folded.training
    assert not any(isinstance(each, nn.BatchNorm2d) for each in folded.modules())
