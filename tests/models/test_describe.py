from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UnknownNameError
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import Cost, cost, count_parameters, describe_model
from cnnlab.models.table import Row

# Parameters of option A, and MACs of convolutions and the linear layer at 32x32, computed by hand.
RESNET20_MACS = (
    (3 * 16 * 9 * 32**2)
    + 6 * (16 * 16 * 9 * 32**2)
    + (16 + 5 * 32) * 32 * 9 * 16**2
    + (32 + 5 * 64) * 64 * 9 * 8**2
    + 64 * 10
)


def test_the_cost_of_resnet20_is_that_computed_by_hand() -> None:
    assert cost(create_model("resnet20"), 3, 32) == Cost(269_722, RESNET20_MACS)


def test_the_cost_of_a_convolution_is_its_formula() -> None:
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    assert cost(layer, 4, (10, 8)) == Cost(6 * 2 * 9 + 6, 5 * 4 * 6 * 2 * 9)


def test_running_statistics_are_no_parameters() -> None:
    assert count_parameters(nn.BatchNorm2d(7)) == 14


def test_counting_leaves_the_network_as_it_was() -> None:
    network = create_model("resnet20").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    cost(network, 3, 32)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_network_is_described_in_plain_values() -> None:
    assert describe_model("resnet20") == Row(
        name="resnet20",
        year=2015,
        paper="He et al. 2015, arXiv:1512.03385",
        input="3x32x32",
        parameters=269_722,
        macs=RESNET20_MACS,
        depth=20,
        tensors=20,
        weights=("resnet20-12fca82f.th", "cifar10_resnet20-4118986f.pt"),
        linear_macs=640,
        smallest_pixels=1,
        one_size=False,
        norms=True,
    )


def test_a_network_of_one_size_is_described_as_such() -> None:
    found = describe_model("lenet5_modern")
    assert (found.smallest_pixels, found.one_size, found.norms) == (32, True, False)
    assert found.linear_macs == 120 * 84 + 84 * 10


def test_describing_draws_nothing_from_the_generator() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    describe_model("resnet32")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_misspelt_network_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*'resnet20'"):
        describe_model("resnet200x")
