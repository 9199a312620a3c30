"""Which image comes when, and its random numbers: pure functions of (seed, epoch, index).

There is no generator to save: resuming needs only the step, and the numbers of one image are the same
in whatever batch it lands. They come from splitmix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), written out here so that no numpy version changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cnnlab.errors import UsageError

if TYPE_CHECKING:
    import torch

Indices = npt.NDArray[np.int64]

_MASK = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ORDER_STREAM = 0


def order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """Give the order in which epoch `epoch` visits `count` images: a permutation, int64 (count,)."""
    keys = hashes(seed, epoch, np.arange(count), _ORDER_STREAM)
    return np.argsort(keys, kind="stable").astype(np.int64)


def weighted_order(seed: int, epoch: int, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Draw as many images as there are `weights` (N,), each in proportion to its weight: int64 (N,).

    An image may come several times in an epoch, or not at all.
    """
    heap = np.cumsum(weights)
    places = uniforms(seed, epoch, np.arange(len(weights)), _ORDER_STREAM) * heap[-1]
    drawn: npt.NDArray[np.int64] = np.searchsorted(heap, places, side="right").astype(np.int64)
    return drawn


def times_before(indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Say for each of `indices` (N,) how often it came earlier in the array, int64 (N,)."""
    by_index = np.argsort(indices, kind="stable")
    ordered = indices[by_index]
    first = np.searchsorted(ordered, ordered, side="left")
    times = np.empty_like(indices)
    times[by_index] = np.arange(len(indices)) - first
    return times


def share(batch: Indices, rank: int, world_size: int) -> Indices:
    """Give the part of a global batch's images that process `rank` of `world_size` works on.

    The global order knows nothing of processes: each takes a run of consecutive places of every batch, so
    that the parts of ranks 0, 1, … put together are the batch, whatever `world_size` is, and a run may go on
    with another number of processes at any step. Lengths differ by one at most, the longer ones first.

    Args:
        batch: indices of images, or anything else in the batch's order, (N,).
        rank: of this process, 0 to `world_size` - 1.
        world_size: how many processes there are.

    Returns:
        A view of `batch`, (N / world_size,) where that divides; empty for the last ranks where N is below `world_size`.

    Raises:
        UsageError: there is no such rank.
    """
    if not 0 <= rank < world_size:
        raise UsageError(f"rank {rank} of {world_size} processes; give 0 to {world_size - 1}")
    length, longer = divmod(len(batch), world_size)
    first = rank * length + min(rank, longer)
    return batch[first : first + length + (rank < longer)]


def uniforms(seed: int, epoch: int, indices: npt.ArrayLike, stream: int) -> npt.NDArray[np.float64]:
    """Give one number in [0, 1) for each of `indices` (N,), float64 (N,).

    It depends on (seed, epoch, index, stream) alone, not on the other indices. Each use (a crop's
    row, a flip, …) takes its own `stream`.
    """
    bits = hashes(seed, epoch, indices, stream) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def normals(seed: int, epoch: int, indices: npt.ArrayLike, stream: int) -> npt.NDArray[np.float64]:
    """Give one number from N(0, 1) for each of `indices` (N,), float64 (N,), by Box and Muller; see `uniforms`.

    Takes `stream` and the one that is a thousand higher.
    """
    radius = np.sqrt(-2 * np.log1p(-uniforms(seed, epoch, indices, stream)))
    drawn: npt.NDArray[np.float64] = radius * np.cos(2 * np.pi * uniforms(seed, epoch, indices, stream + 1000))
    return drawn


def generator(seed: int, epoch: int, index: int, stream: int, device: torch.device) -> torch.Generator:
    """Make a torch generator on `device` for one image's many numbers; they depend on the kind of device."""
    import torch  # not above: what divides data, which can be refused, needs none

    return torch.Generator(device).manual_seed(int(hashes(seed, epoch, [index], stream)[0] >> np.uint64(1)))


def hashes(seed: int, epoch: int, indices: npt.ArrayLike, stream: int) -> npt.NDArray[np.uint64]:
    """Give 64 well-mixed bits for each of `indices` (N,), uint64 (N,); see `uniforms`."""
    state = np.zeros(1, np.uint64)
    for word in (seed, epoch, stream):
        state = _mix((state ^ np.uint64(word & _MASK)) + _GOLDEN)
    counters = np.asarray(indices).astype(np.uint64)
    return _mix(state + (counters + np.uint64(1)) * _GOLDEN)


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
