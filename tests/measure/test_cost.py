from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.measure.cost import by_kind, by_layer, parameter_bytes, sum_cost, time_network
from cnnlab.measure.machine import Machine
from cnnlab.measure.operations import Operation, Timing
from cnnlab.models.catalog import create_model

MACHINE = Machine(macs_per_second=1000, bytes_per_second=100)


def operation(module: str, function: str, seconds: float, macs: int = 0, moved: int = 0) -> Operation:
    return Operation(module, function, seconds, 2 * seconds, macs, 2 * macs, moved, moved, kept_bytes=7)


TIMING = Timing(
    (
        operation("layer1.0.conv1", "conv2d", 1.0, macs=500),
        operation("layer1.0.bn1", "batch_norm", 0.5, moved=25),
        operation("layer1.1.conv1", "conv2d", 2.0, macs=1000),
        operation("", "add", 0.1),
    ),
    forward_seconds=3.6,
    backward_seconds=7.2,
    covered=1.0,
    batch_size=4,
)


def test_rows_sum_what_they_hold() -> None:
    rows = by_layer(TIMING, MACHINE)
    assert [each.name for each in rows] == ["layer1.0", "layer1.1", "(forward)"]
    first = rows[0]
    assert (first.forward_seconds, first.backward_seconds, first.seconds) == (1.5, 3.0, 4.5)
    assert (first.macs, first.moved_bytes, first.kept_bytes) == (1500, 50, 14)
    assert first.of_roof == pytest.approx((0.5 + 1.0 + 0.25 + 0.25) / 4.5)
    assert rows[2].of_roof is None
    assert sum(each.seconds for each in rows) == sum_cost("sum", TIMING.operations, MACHINE).seconds


def test_kinds_come_slowest_first() -> None:
    assert [each.name for each in by_kind(TIMING, MACHINE)] == ["conv2d", "batch_norm", "add"]


def test_a_batch_of_one_that_batch_normalisation_refuses_is_a_usage_error() -> None:
    network = create_model("resnet20")
    with pytest.raises(UsageError, match="cannot train on a batch of 1"):
        time_network(network, (4, 4), 1, torch.device("cpu"), torch.float32, rounds=1)


def test_a_signal_is_timed_too() -> None:
    network = create_model("resnet18_1d")
    timing = time_network(network, (64,), 2, torch.device("cpu"), torch.float32, rounds=1)
    assert timing.operations[0].function == "conv1d"
    assert parameter_bytes(network) == 4 * sum(each.numel() for each in network.parameters())
