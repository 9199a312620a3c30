"""What this machine can do at best, measured: multiply-accumulates and bytes a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

REPEATS = 7
MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
COPIED_BYTES = {"cpu": 2**27, "cuda": 2**30}  # well beyond any cache


@dataclass(frozen=True)
class Machine:
    """The roof: multiply-accumulates a second of a matrix product, and bytes a second, read or written, of a copy."""

    macs_per_second: float
    bytes_per_second: float

    def floor_seconds(self, macs: int, moved_bytes: int) -> float:
        """The least time for so many multiply-accumulates and so many bytes read or written."""
        return max(macs / self.macs_per_second, moved_bytes / self.bytes_per_second)


def measure_machine(device: torch.device, dtype: torch.dtype, *, side: int | None = None) -> Machine:
    """The fastest of a few products of square matrices, and of copies, on `device` with the threads that are set.

    `side` is that of the matrices; larger ones are a little nearer the best on many cores.
    """
    side, count = side or MATRIX_SIDE[device.type], COPIED_BYTES[device.type] // dtype.itemsize
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.zeros(count, device=device, dtype=dtype)
    target = torch.zeros_like(source)
    product_seconds = _fastest(lambda: torch.mm(left, right, out=product), device)
    copy_seconds = _fastest(lambda: target.copy_(source), device)
    return Machine(side**3 / product_seconds, 2 * count * dtype.itemsize / copy_seconds)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of `REPEATS`, after one that does not count."""
    work()
    return min(_seconds_once(work, device) for _ in range(REPEATS))


def _seconds_once(work: Callable[[], object], device: torch.device) -> float:
    wait_for(device)
    started = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - started


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
