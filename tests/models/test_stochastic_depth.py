"""Stochastic depth, against the equations of Huang et al. 2016."""

from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.resnet import resnet18
from cnnlab.models.stochastic_depth import add_branch, survival_probabilities

MAPS = torch.arange(6.0).view(1, 1, 2, 3)


def test_linear_decay_ends_at_the_last_block():
    assert survival_probabilities(4, 0.5) == [0.875, 0.75, 0.625, 0.5]  # equation 4 with p_L = 0.5
    assert survival_probabilities(3, 0.0) == [1.0, 1.0, 1.0]


def test_expected_depth_of_resnet110_is_three_quarters():
    assert sum(survival_probabilities(54, 0.5)) == pytest.approx(40, abs=0.5)  # section 3: "about 40 of 54"


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_outside_the_range_are_refused(rate):
    with pytest.raises(UsageError, match="stochastic depth rate"):
        survival_probabilities(3, rate)


def test_evaluation_scales_the_branch_by_its_survival():
    found = add_branch(MAPS, lambda maps: maps * 10, MAPS, survival=0.75, training=False)
    torch.testing.assert_close(found, MAPS * 8.5)  # equation 5


def test_training_keeps_the_branch_whole_or_not_at_all():
    torch.manual_seed(0)
    calls = []

    def branch(maps: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return maps * 10

    found = [add_branch(MAPS, branch, MAPS, survival=0.7, training=True) for _ in range(400)]
    kept = [maps.sum() == MAPS.sum() * 11 for maps in found]
    assert all(maps.sum() in (MAPS.sum(), MAPS.sum() * 11) for maps in found)
    assert sum(kept) == len(calls)  # a branch left out is not computed
    assert sum(kept) / 400 == pytest.approx(0.7, abs=0.07)


def test_a_block_left_out_has_no_gradient_and_the_rest_do():
    torch.manual_seed(1)
    network = resnet18(num_classes=3, stochastic_depth=0.9).train()
    network(torch.randn(2, 3, 32, 32)).sum().backward()
    without = {name.rsplit(".", 2)[0] for name, p in network.named_parameters() if p.grad is None}
    assert without
    assert all(name.startswith("layer") for name in without)
    assert network.fc.weight.grad is not None


def test_blocks_get_their_survival_in_order():
    network = resnet18(num_classes=2, stochastic_depth=0.5)
    found = [
        block.survival for stage in (network.layer1, network.layer2, network.layer3, network.layer4) for block in stage
    ]
    assert found == survival_probabilities(8, 0.5)


def test_compiles_to_one_graph_in_training():
    network = resnet18(num_classes=2, stochastic_depth=0.5).train()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    assert compiled(torch.randn(2, 3, 32, 32)).shape == (2, 2)
