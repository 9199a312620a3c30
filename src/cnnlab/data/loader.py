"""Batches of a part held in memory: in an order that (seed, epoch) alone decide, from any position on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.parts import Part
from cnnlab.data.preprocess import normalise
from cnnlab.data.sampler import order
from cnnlab.errors import UsageError
from cnnlab.types import Preprocess

Indices = npt.NDArray[np.int64]
Augment = Callable[[Tensor, Indices, int], Tensor]
"""(images float32 (N, C, H, W) normalised, their indices in the part (N,), epoch) -> images."""


@dataclass(frozen=True)
class Batch:
    """Images float32 (N, C, H, W) channels_last, labels int64 (N,), both on the device.

    `indices` (N,) say where in the part the images are; they stay on the CPU.
    """

    images: Tensor
    labels: Tensor
    indices: Indices


class Batches:
    """The training batches of a part: shuffled anew each epoch, all of one size, the rest dropped.

    The part's uint8 images are put whole on the device once. Any batch can be made at any time, at
    the same cost, so a resumed run goes on at its step.
    """

    def __init__(
        self,
        part: Part,
        *,
        batch_size: int,
        seed: int,
        preprocess: Preprocess,
        device: torch.device | str = "cpu",
        augment: Augment | None = None,
    ) -> None:
        """Put the images on `device`; raises `UsageError` when the part has no full batch."""
        if not 1 <= batch_size <= len(part):
            raise UsageError(f"batch size {batch_size} for {len(part)} images; give 1 to {len(part)}")
        self.batch_size = batch_size
        self.steps_per_epoch = len(part) // batch_size
        self._seed, self._preprocess, self._augment = seed, preprocess, augment
        # (N, H, W, C) in memory, so that a gathered batch is channels_last without another copy.
        self._rows = part.images.to(device).permute(0, 2, 3, 1).contiguous()
        self._labels = part.labels.to(device)
        self._order = (-1, np.zeros(0, np.int64))

    def batch(self, epoch: int, position: int) -> Batch:
        """Make the batch at `position` (0 to steps_per_epoch - 1) of `epoch`, at a constant cost.

        Raises `UsageError` for a position outside the epoch.
        """
        if not 0 <= position < self.steps_per_epoch:
            raise UsageError(f"batch {position} of an epoch of {self.steps_per_epoch}; give one inside it")
        first = position * self.batch_size
        indices = self._order_of(epoch)[first : first + self.batch_size]
        chosen = torch.from_numpy(indices).to(self._rows.device, non_blocking=True)
        images = normalise(self._rows.index_select(0, chosen).permute(0, 3, 1, 2), self._preprocess)
        if self._augment is not None:
            images = self._augment(images, indices, epoch)
        return Batch(images, self._labels[chosen], indices)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Go through the batches of `epoch`, from position `start` on."""
        for position in range(start, self.steps_per_epoch):
            yield self.batch(epoch, position)

    def _order_of(self, epoch: int) -> Indices:
        if self._order[0] != epoch:
            self._order = (epoch, order(self._seed, epoch, len(self._rows)))
        return self._order[1]


def eval_batches(
    part: Part, batch_size: int, preprocess: Preprocess, device: torch.device | str = "cpu"
) -> Iterator[Batch]:
    """Go through a part in its own order, unchanged by chance; the last batch may be smaller.

    Raises `UsageError` for a batch size below 1.
    """
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size}; give 1 or more")
    for first in range(0, len(part), batch_size):
        images = part.images[first : first + batch_size].to(device)
        labels = part.labels[first : first + batch_size].to(device)
        indices = np.arange(first, first + len(labels), dtype=np.int64)
        yield Batch(normalise(images, preprocess), labels, indices)
