"""Random numbers of images, drawn for all of them at once and kept on the device while an epoch lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.data.sampler import Indices
from cnnlab.data.upload import upload

LARGEST_TABLE = 1 << 18
"""Keys from this on are drawn for a batch alone: those of millions of photos, or of images drawn by weight."""

Draw = Callable[[int, Indices], npt.NDArray[Any]]
"""(epoch, keys (N,)) -> the numbers of these keys, (…, N): a pure function of both, key by key."""


class EpochNumbers:
    """What `draw` gives, without its being asked at every step, or the host waiting for a GPU."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._epoch, self._size = -1, 0
        self._table = torch.zeros(0)

    def of(self, epoch: int, keys: Indices, device: torch.device) -> Tensor:
        """The numbers of `keys` (N,) in `epoch`, (…, N) on `device`."""
        largest = int(keys.max(initial=-1))
        if largest >= LARGEST_TABLE:
            return upload(self._draw(epoch, keys), device)
        if epoch != self._epoch or largest >= self._size or self._table.device != device:
            self._epoch, self._size = epoch, 1 << largest.bit_length() if largest >= 0 else 0
            self._table = upload(self._draw(epoch, np.arange(self._size)), device)
        return self._table[..., upload(keys, device)]
