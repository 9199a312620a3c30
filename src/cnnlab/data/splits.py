"""How a set is divided into parts: pure functions of the labels, a count and a seed.

The seed is 0 unless the user says otherwise; it is not the run's seed, so every run of a data set
holds out the same images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cnnlab.data.sampler import hashes
from cnnlab.errors import UsageError

_SPLIT_STREAM, _FEW_STREAM = 100, 101


def hold_out(
    labels: npt.NDArray[np.int64], num_images: int, seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide the images into (kept, held): two rising arrays of indices into `labels` (N,).

    About `num_images` are held, from every class in proportion to its size, with at least one held
    from every class that has two (when any are held), and at least one kept of every class.

    Raises `UsageError` when that would leave nothing to keep.
    """
    if not 0 <= num_images < max(len(labels), 1):
        raise UsageError(f"cannot hold out {num_images} of {len(labels)} images; give 0 to {max(len(labels) - 1, 0)}")
    held = np.zeros(len(labels), dtype=bool)
    if num_images:
        classes, counts = np.unique(labels, return_counts=True)
        for label, quota in zip(classes, shares(counts, num_images), strict=True):
            members = np.flatnonzero(labels == label)
            keys = hashes(seed, 0, members, _SPLIT_STREAM)
            held[members[np.argsort(keys, kind="stable")[:quota]]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def few_of_each(labels: npt.NDArray[np.int64], num_images: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Choose `num_images` of `labels` (N,), from every class as many as of any other as far as they go.

    Returns rising indices, int64 (num_images,). Raises `UsageError` for none, or more than there are.
    """
    if not 1 <= num_images <= len(labels):
        raise UsageError(f"cannot choose {num_images} of {len(labels)} images; give 1 to {len(labels)}")
    keys = hashes(seed, 0, np.arange(len(labels)), _FEW_STREAM)
    by_class = np.lexsort((keys, labels))
    ranks = np.concatenate([np.arange(count) for count in np.unique(labels, return_counts=True)[1]])
    chosen: npt.NDArray[np.int64] = by_class[np.lexsort((keys[by_class], ranks))[:num_images]]
    return np.sort(chosen)


def shares(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Share `total` among classes of sizes `counts` (K,), int64 (K,), by largest remainder.

    No class gives its last image; each that has two gives one at least, even if that makes the sum
    larger than `total`.
    """
    exact = counts * (total / counts.sum())
    given: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    left = total - int(given.sum())
    given[np.argsort(given - exact, kind="stable")[:left]] += 1
    np.minimum(np.maximum(given, 1), counts - 1, out=given)
    return given


def fraction_of(count: int, fraction: float) -> int:
    """Give `fraction` of `count` as a whole number, at least 1 where `count` allows it to be."""
    return min(max(1, round(count * fraction)), max(count - 1, 0))
