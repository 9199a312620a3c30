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
from cnnlab.data.sampler import order, share, times_before, weighted_order
from cnnlab.data.upload import upload
from cnnlab.errors import UsageError
from cnnlab.types import Preprocess

Indices = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]
Augment = Callable[[Tensor, Indices, int], Tensor]
"""(images (N, C, H, W), their indices (N,) as keys of random numbers, epoch) -> images of the same shape."""
Mix = Callable[[Tensor, Tensor, Indices, int], tuple[Tensor, Tensor]]
"""(images normalised, labels int64 (N,), indices (N,), epoch) -> (images, labels float32 (N, K))."""


@dataclass(frozen=True)
class Batch:
    """Images float32 (N, C, H, W) channels_last and their labels, both on the device.

    Labels are int64 (N,), or float32 (N, K) with rows that sum to one where images were mixed.
    `indices` (N,) say where in the part the images are; they stay on the CPU.
    """

    images: Tensor
    labels: Tensor
    indices: Indices


@dataclass(frozen=True)
class Changes:
    """What is done to a batch: `pixels` before it is normalised, `images` after, `mix` last of all."""

    pixels: Augment | None = None
    images: Augment | None = None
    mix: Mix | None = None


def make_batch(
    pixels: Tensor,
    labels: Tensor,
    indices: Indices,
    keys: Indices,
    epoch: int,
    preprocess: Preprocess,
    changes: Changes,
) -> Batch:
    """Make a batch of uint8 images (N, C, H, W): changed, normalised, changed again; `keys` (N,) decide how."""
    if changes.pixels is not None:
        pixels = changes.pixels(pixels, keys, epoch)
    images = normalise(pixels, preprocess)
    if changes.images is not None:
        images = changes.images(images, keys, epoch)
    if changes.mix is not None:
        images, labels = changes.mix(images, labels, keys, epoch)
    return Batch(images, labels, indices)


class EpochOrder:
    """Which images are in which batch: a function of (seed, epoch) alone, the last epoch's kept at hand."""

    def __init__(
        self, seed: int, count: int, weights: Weights | None = None, rank: int = 0, world_size: int = 1
    ) -> None:
        self._seed, self._count, self._weights = seed, count, weights
        self._rank, self._world_size = rank, world_size
        self._epoch, self._indices = -1, np.zeros(0, np.int64)
        self._keys = self._indices

    def batch(self, epoch: int, position: int, batch_size: int) -> tuple[Indices, Indices]:
        """Give a batch's indices (batch_size,), and the keys of their random numbers (batch_size,).

        With several processes both are this one's share of them.

        A key is the index; where images are drawn by weight, count is added for each time the image came
        earlier in the epoch, so that it is changed otherwise. Raises `UsageError` for a position outside
        the epoch.
        """
        steps = self._count // batch_size
        if not 0 <= position < steps:
            raise UsageError(f"batch {position} of an epoch of {steps}; give one inside it")
        if self._epoch != epoch:
            self._epoch = epoch
            self._indices, self._keys = self._draw(epoch)
        places = slice(position * batch_size, (position + 1) * batch_size)
        indices, keys = (share(each[places], self._rank, self._world_size) for each in (self._indices, self._keys))
        return indices, keys

    def _draw(self, epoch: int) -> tuple[Indices, Indices]:
        if self._weights is None:
            indices = order(self._seed, epoch, self._count)
            return indices, indices
        indices = weighted_order(self._seed, epoch, self._weights)
        return indices, indices + self._count * times_before(indices)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Give the number of full batches in `count` images; raises `UsageError` when there is none."""
    if not 1 <= batch_size <= count:
        raise UsageError(f"batch size {batch_size} for {count} images; give 1 to {count}")
    return count // batch_size


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
        augment_pixels: Augment | None = None,
        mix: Mix | None = None,
        weights: Weights | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Put the images on `device`; raises `UsageError` when the part has no full batch.

        `augment_pixels` changes the uint8 images before they are normalised (colours; it may give float32
        of 0 to 255), `augment` the normalised ones, and then `mix` images and labels together. With
        `weights` (N,) an epoch draws images in proportion to theirs, with replacement. Process `rank` of
        `world_size` makes its share of each batch (`sampler.share`).
        """
        self.batch_size = batch_size
        self.steps_per_epoch = steps_per_epoch(len(part), batch_size)
        self._preprocess, self._changes = preprocess, Changes(augment_pixels, augment, mix)
        # (N, H, W, C) in memory, so that a gathered batch is channels_last without another copy.
        self._rows = part.images.to(device).permute(0, 2, 3, 1).contiguous()
        self._labels = part.labels.to(device)
        self._order = EpochOrder(seed, len(part), weights, rank, world_size)

    def batch(self, epoch: int, position: int) -> Batch:
        """Make the batch at `position` (0 to steps_per_epoch - 1) of `epoch`, at a constant cost.

        Raises `UsageError` for a position outside the epoch.
        """
        indices, keys = self._order.batch(epoch, position, self.batch_size)
        chosen = upload(indices, self._rows.device)
        pixels = self._rows.index_select(0, chosen).permute(0, 3, 1, 2)
        return make_batch(pixels, self._labels[chosen], indices, keys, epoch, self._preprocess, self._changes)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Go through the batches of `epoch`, from position `start` on."""
        for position in range(start, self.steps_per_epoch):
            yield self.batch(epoch, position)


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
