"""Every operation of a pass is timed and counted: against counts by hand, and against the catalogue's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cnnlab.measure.operations import time_operations
from cnnlab.models.catalog import create_model
from cnnlab.models.summary import summarise_model


class Sum(nn.Module):
    """A convolution, a ReLU in place, and an addition that no module makes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.conv(images)
        logits: Tensor = (self.relu(maps) + 1.0).flatten(1)
        return logits


def test_each_operation_has_its_module_its_work_and_its_bytes() -> None:
    timing = time_operations(Sum(), torch.randn(2, 3, 8, 8), rounds=2)
    conv, relu, add, view = timing.operations
    assert [each.module for each in timing.operations] == ["conv", "relu", "", ""]
    assert [each.function for each in timing.operations] == ["conv2d", "relu", "add", "flatten"]
    image_bytes, weight_bytes, map_bytes = 2 * 3 * 64 * 4, 4 * 3 * 9 * 4, 2 * 4 * 64 * 4
    assert conv.forward_macs == 2 * 64 * 4 * 3 * 9
    assert conv.backward_macs == conv.forward_macs  # of the weights alone: images need no gradient
    assert conv.forward_bytes == image_bytes + weight_bytes + map_bytes
    assert conv.backward_bytes == conv.forward_bytes + weight_bytes
    assert conv.kept_bytes == image_bytes
    assert relu.kept_bytes == map_bytes
    assert (add.forward_macs, add.kept_bytes) == (0, 0)
    assert view.forward_bytes == 0
    assert all(each.forward_seconds > 0 for each in timing.operations)
    assert conv.backward_seconds > 0


@pytest.mark.parametrize("name", ["resnet20", "lenet5_modern"])
def test_the_work_is_that_of_the_summary(name: str) -> None:
    network = create_model(name)
    images = torch.randn(2, network.in_channels, *(32, 32))
    timing = time_operations(network, images, rounds=1)
    assert sum(each.forward_macs for each in timing.operations) == 2 * summarise_model(name).macs
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_operations_cover_the_pass() -> None:
    timing = time_operations(create_model("resnet20"), torch.randn(64, 3, 32, 32), rounds=3)
    assert 0.8 < timing.covered <= 1.0  # 0.97 on a machine without other work


def test_memory_grows_with_the_batch_and_the_work_too() -> None:
    network = create_model("resnet20")
    one, two = (time_operations(network, torch.randn(size, 3, 16, 16), rounds=1) for size in (4, 8))
    statistics_bytes = 4 * 2 * sum(m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert two.kept_bytes - statistics_bytes == pytest.approx(2 * (one.kept_bytes - statistics_bytes), rel=0.01)
    assert sum(each.backward_macs for each in two.operations) == 2 * sum(each.backward_macs for each in one.operations)
