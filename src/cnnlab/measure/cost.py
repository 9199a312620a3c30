"""Timed operations as a table: summed by layer or by kind, each held against the machine's roof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.measure.machine import Machine
from cnnlab.measure.operations import Operation, Timing, time_operations
from cnnlab.models.device import place_network
from cnnlab.models.layers import Network


@dataclass(frozen=True)
class Cost:
    """What some operations take together, of a batch. `of_roof` is the least time the machine could take, over ours.

    It is None where nothing is computed or moved. It may exceed 1 where data stays in the processor's cache.
    """

    name: str
    forward_seconds: float
    backward_seconds: float
    macs: int
    moved_bytes: int
    kept_bytes: int
    of_roof: float | None

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward_seconds + self.backward_seconds


def sum_cost(name: str, operations: Sequence[Operation], machine: Machine) -> Cost:
    """All of `operations` as one row; MACs and bytes are those of both passes."""
    seconds = sum(each.forward_seconds + each.backward_seconds for each in operations)
    floor = sum(_floor_seconds(each, machine) for each in operations)
    return Cost(
        name=name,
        forward_seconds=sum(each.forward_seconds for each in operations),
        backward_seconds=sum(each.backward_seconds for each in operations),
        macs=sum(each.forward_macs + each.backward_macs for each in operations),
        moved_bytes=sum(each.forward_bytes + each.backward_bytes for each in operations),
        kept_bytes=sum(each.kept_bytes for each in operations),
        of_roof=floor / seconds if floor and seconds else None,
    )


def _floor_seconds(operation: Operation, machine: Machine) -> float:
    return machine.floor_seconds(operation.forward_macs, operation.forward_bytes) + machine.floor_seconds(
        operation.backward_macs, operation.backward_bytes
    )


def by_layer(timing: Timing, machine: Machine, depth: int = 2) -> list[Cost]:
    """A row for each module `depth` names deep (`layer1.0`), in call order; what no module does is `(forward)`."""
    return _grouped(timing, machine, lambda each: ".".join(each.module.split(".")[:depth]) or "(forward)")


def by_kind(timing: Timing, machine: Machine) -> list[Cost]:
    """A row for each kind of operation (`conv2d`), the slowest first."""
    rows = _grouped(timing, machine, lambda each: each.function)
    return sorted(rows, key=lambda row: row.seconds, reverse=True)


def _grouped(timing: Timing, machine: Machine, name_of: Callable[[Operation], str]) -> list[Cost]:
    groups: dict[str, list[Operation]] = {}
    for each in timing.operations:
        groups.setdefault(name_of(each), []).append(each)
    return [sum_cost(name, operations, machine) for name, operations in groups.items()]


def time_network(
    network: Network, sizes: tuple[int, ...], batch_size: int, device: torch.device, dtype: torch.dtype, rounds: int
) -> Timing:
    """Time a training pass of `network` on random images (N, C, *sizes).

    Raises:
        UsageError: the network does not train on such a batch: too small an image, or too few for its batch
            normalisation.
    """
    network = place_network(network, device).to(dtype)
    images = torch.randn(batch_size, network.in_channels, *sizes, device=device, dtype=dtype)
    if images.ndim == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    try:
        return time_operations(network, images, rounds=rounds)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UsageError(f"batch normalisation cannot train on a batch of {batch_size}; take a larger one") from None


def parameter_bytes(network: nn.Module) -> int:
    """Of the parameters; their gradients take as many again."""
    return sum(each.nbytes for each in network.parameters())
