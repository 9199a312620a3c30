"""All that changes as a training goes on: gathered for a checkpoint, and put back from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnnlab.train.checkpoint import Checkpoint, optimizer_tensors, restore_optimizers
from cnnlab.train.progress import Progress

if TYPE_CHECKING:
    from cnnlab.train.loop import Training


def snapshot(training: Training) -> Checkpoint:
    """What a training needs to go on from this very step; the tensors are its own, not copies.

    Where processes hold shares of them, only rank 0 gets them whole.
    """
    tensors = {"network": training.network.state_dict(), "optimizer": optimizer_tensors(training.optimizers)}
    if training.average is not None:
        tensors["average"] = training.average.state_dict()
    if training.proxy is not None:
        tensors["proxy"] = training.proxy.network.state_dict()
        tensors["proxy_optimizer"] = optimizer_tensors(training.proxy.optimizers)
    if training.best is not None:
        tensors["best"] = training.best.state_dict()
    state = {
        "seed": training.seed,
        "clock": asdict(replace(training.clock, phases=())),
        "progress": asdict(training.progress),
        "scaler": training.scaler.state_dict(),
    }
    return Checkpoint({name: training.team.collect(each) for name, each in tensors.items()}, state)


def put_back(training: Training, saved: Checkpoint) -> Progress:
    """Give a training the weights, average, optimizers and scaler of a checkpoint; returns how far that one was."""
    with training.team.loading():
        training.network.load_state_dict(saved.tensors["network"])
        if training.average is not None:
            training.average.load_state_dict(saved.tensors["average"])
        _put_back_optimizers(training.optimizers, saved.tensors.get("optimizer", {}))
        if training.proxy is not None:
            training.proxy.network.load_state_dict(saved.tensors["proxy"])
            _put_back_optimizers(training.proxy.optimizers, saved.tensors.get("proxy_optimizer", {}))
    training.scaler.load_state_dict(saved.state["scaler"])
    return Progress.from_dict(saved.state["progress"])


def _put_back_optimizers(optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    for each in optimizers:
        each.state.clear()
    restore_optimizers(optimizers, tensors)


class KeptBuffers:
    """A copy of a network's running statistics, which a forward pass changes before anything is known of its loss."""

    def __init__(self, network: nn.Module) -> None:
        self._buffers = list(network.buffers())
        self._kept = [torch.empty_like(each) for each in self._buffers]

    @torch.no_grad()
    def keep(self) -> None:
        """Copy them as they are now."""
        if self._buffers:
            torch._foreach_copy_(self._kept, self._buffers)

    @torch.no_grad()
    def put_back(self) -> None:
        """Make them again as they were."""
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._kept)
