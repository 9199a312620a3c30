"""Where a network runs: the device, and how its memory is kept."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import TypeVar

import torch
from torch import nn

from cnnlab.errors import UsageError

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3), malloc.h
_KEEP_BYTES, _OWN_BYTES = 2**30, 2**17  # the second is glibc's own for both


def resolve_device(name: str = "auto") -> torch.device:
    """The torch device called `name`; `auto` takes a GPU if there is one.

    Raises:
        UsageError: torch does not know the name, or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"no device {name!r} here; {_offer_devices()}") from error
    return device


def _offer_devices() -> str:
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    found = ", ".join(["cpu", *gpus]) if gpus else "cpu (torch finds no CUDA GPU)"
    return f"there is {found}; auto takes the fastest"


def place_network(network: NetworkT, device: torch.device) -> NetworkT:
    """Put `network` on `device`, its filters in the channels_last layout that convolutions run fastest in."""
    return network.to(device).to(memory_format=torch.channels_last)


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of returning it to the system.

    Each training step frees and asks for the same large blocks; by default every one is mapped and
    cleared anew. Costs nothing on other systems, where this does nothing.
    """
    _keep(_KEEP_BYTES)


def return_freed_memory() -> None:
    """Undo `keep_freed_memory`, and return what is free: for when memory has run out, and others need some."""
    _keep(_OWN_BYTES)


def _keep(keep_bytes: int) -> None:
    """Let glibc return only what is larger than this; what is free beyond it goes at once."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, keep_bytes)
        libc.mallopt(_M_TRIM_THRESHOLD, keep_bytes)
        libc.malloc_trim(keep_bytes)
