"""Arrays and tensors put on the device without the host waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(values: npt.NDArray[Any] | Tensor, device: torch.device) -> Tensor:
    """Put `values` on `device`; to a GPU through pinned memory, from which it copies while the host goes on."""
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Uploaded:
    """A tensor on its way to the device; `arrived` is None where it is there at once."""

    tensor: Tensor
    arrived: torch.cuda.Event | None = None

    def take(self) -> Tensor:
        """Let the device's own work from here on wait for the tensor, and give it."""
        if self.arrived is not None:
            stream = torch.cuda.current_stream(self.tensor.device)
            stream.wait_event(self.arrived)
            self.tensor.record_stream(stream)  # else its memory might be used anew while it is read
        return self.tensor


class SideStream:
    """Brings tensors to a GPU beside what it computes meanwhile; to any other device at once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def begin(self, tensor: Tensor, finish: Callable[[Tensor], None] | None = None) -> Uploaded:
        """Begin to copy `tensor`, which is to be in pinned memory, and to `finish` the copy; any thread may ask."""
        if self._stream is None:
            there = tensor.to(self._device)
            if finish is not None:
                finish(there)
            return Uploaded(there)
        with torch.cuda.stream(self._stream):
            there = tensor.to(self._device, non_blocking=True)
            if finish is not None:
                finish(there)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        return Uploaded(there, arrived)
