"""Batch norms that normalise by the images of all processes, on a CPU too; torch's own need a GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def with_synced_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` with each batch norm made synchronised over all processes, its parameters and statistics the same."""
    if device.type != "cpu":
        synced: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return synced
    for each in network.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):
            each.__class__ = SyncedNorm
    return network


class SyncedNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm over all processes; as torch's own, but that it runs on a CPU, where two sums are exchanged."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Take whatever the batch norm took that this was made of."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, …) by mean and variance over N, all processes and what follows C."""
        if not self.training:
            made: Tensor = super().forward(input)
            return made
        places, shape = [0, *range(2, input.ndim)], (1, -1, *(1,) * (input.ndim - 2))
        images = _all_reduce(torch.tensor(input.numel() / input.shape[1])).item()
        mean: Tensor = SumOverProcesses.apply(input.sum(places)) / images
        centred = input - mean.view(shape)
        variance: Tensor = SumOverProcesses.apply(centred.square().sum(places)) / images
        self._note(mean, variance * (images / (images - 1)))
        scale = (variance + self.eps).rsqrt()
        if not self.affine:
            return centred * scale.view(shape)
        return torch.addcmul(self.bias.view(shape), centred, (scale * self.weight).view(shape))

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class SumOverProcesses(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """The sum, of the shape of `values`."""
        return _all_reduce(values.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient by `values`."""
        return _all_reduce(gradient.clone())


def _all_reduce(values: Tensor) -> Tensor:
    import torch.distributed as dist

    dist.all_reduce(values)
    return values
