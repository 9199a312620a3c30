"""Which image comes when, and its random numbers: pure functions of (seed, epoch, index).

There is no generator to save: resuming needs only the step, and the numbers of one image are the same
in whatever batch it lands. They come from splitmix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), written out here so that no numpy version changes them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ORDER_STREAM = 0


def order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """Give the order in which epoch `epoch` visits `count` images: a permutation, int64 (count,)."""
    keys = hashes(seed, epoch, np.arange(count), _ORDER_STREAM)
    return np.argsort(keys, kind="stable").astype(np.int64)


def uniforms(seed: int, epoch: int, indices: npt.ArrayLike, stream: int) -> npt.NDArray[np.float64]:
    """Give one number in [0, 1) for each of `indices` (N,), float64 (N,).

    It depends on (seed, epoch, index, stream) alone, not on the other indices. Each use (a crop's
    row, a flip, …) takes its own `stream`.
    """
    bits = hashes(seed, epoch, indices, stream) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


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
