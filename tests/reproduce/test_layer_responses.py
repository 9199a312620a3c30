from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.layer_responses import deviations, findings, plans
from cnnlab.reproduce.plan import Budget


def test_the_networks_are_those_of_degradation() -> None:
    for budget in Budget:
        shared = {each.key(0) for each in degradation.plans(budget).values()}
        assert {each.key(0) for each in plans(budget).values()} <= shared


def test_deviations_are_of_what_normalisation_puts_out() -> None:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    nn.init.constant_(first.weight, 2.0)
    nn.init.constant_(second.weight, 3.0)
    conv = nn.Conv2d(2, 2, 1, bias=False)
    nn.init.dirac_(conv.weight)  # so that the ReLU leaves each channel something
    network = nn.Sequential(first, conv, nn.ReLU(), second).eval()
    found = deviations(network, 5 + torch.randn(64, 2, 4, 4))
    assert found == pytest.approx([2.0, 3.0], rel=1e-3)  # whatever the running averages are


@pytest.mark.parametrize(
    ("residual", "deep", "holds"), [(0.5, 0.3, True), (1.5, 0.3, False), (0.5, 0.8, False), (1.0, 0.3, None)]
)
def test_layers_are_compared_one_by_one_and_by_depth(residual: float, deep: float, holds: bool | None) -> None:
    def layers(count: int, level: float, swing: float = 0.01) -> list[float]:
        return [level + swing * (-1) ** place for place in range(count)]

    seen = {
        "plain20": layers(19, 1.0, 0.0),
        "plain56": layers(55, 1.0),
        "resnet20": layers(19, residual, 0.1),
        "resnet56": layers(55, deep),
    }
    assert verdict(findings(seen).claims).holds is holds
