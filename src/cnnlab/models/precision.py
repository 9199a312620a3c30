"""The number format of a training: float32, or 16 bits for the heavy layers where the device computes with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cnnlab.errors import UsageError
from cnnlab.models.strips import Strips
from cnnlab.types import PrecisionName

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}
BF16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")  # of CPUs, as `torch.cpu.get_capabilities` calls them


@dataclass(frozen=True)
class Precision:
    """A device and the 16-bit format its convolutions and matrix products run in (None: float32).

    With `strips`, convolutions take narrow maps side by side, which is faster where a CPU has matrix tiles.
    """

    device: torch.device
    half: torch.dtype | None
    strips: bool = False

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """The context for a forward pass and its loss."""
        with contextlib.ExitStack() as stack:
            if self.half is not None:
                stack.enter_context(torch.autocast(self.device.type, dtype=self.half))
            if self.strips:
                stack.enter_context(Strips())
            yield

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler, which does something only for float16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.half is torch.float16)


def resolve_precision(name: PrecisionName, device: torch.device) -> Precision:
    """The number format for `name` on `device`.

    `auto` is bf16 on a GPU that has it, else float32; `native` is bf16 on any device that has it, a CPU too. Other CPUs
    emulate it, 5 to 300 times slower than float32.

    Raises:
        UsageError: fp16 is asked for on a CPU, where gradients cannot be scaled safely.
    """
    if name == "fp16" and device.type == "cpu":
        raise UsageError("precision 'fp16' needs a GPU; on a CPU use 'fp32'")
    if name in FORMATS:
        half: torch.dtype | None = FORMATS[name]
    else:
        wanted = name == "native" or (name == "auto" and device.type == "cuda")
        half = torch.bfloat16 if wanted and has_bf16(device) else None
    on_tiles = half is torch.bfloat16 and device.type == "cpu" and has_matrix_tiles()
    return Precision(device, half, strips=on_tiles)


def has_bf16(device: torch.device) -> bool:
    """Whether a GPU or CPU computes with bfloat16 itself."""
    if device.type == "cuda":
        supported: bool = torch.cuda.is_bf16_supported()
        return supported
    found = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(found.get(feature, False) for feature in BF16_FEATURES)


def cpu_capability() -> str:
    """The widest instructions that torch uses on this CPU, and AMX where it multiplies matrices by tiles."""
    return torch.backends.cpu.get_cpu_capability() + (", AMX" if has_matrix_tiles() else "")


def has_matrix_tiles() -> bool:
    """Whether the CPU multiplies matrices of bfloat16 by tiles, as Intel's AMX does."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
