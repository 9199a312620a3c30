"""The number format of a training: plain float32, or 16 bits for the heavy layers on a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import torch

from cnnlab.errors import UsageError

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """A device and the 16-bit format its convolutions and matrix products run in (None: float32)."""

    device: torch.device
    half: torch.dtype | None

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context for a forward pass and its loss."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.half)

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler, which does something only for float16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.half is torch.float16)


def resolve_precision(name: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """The number format for `name` on `device`; `auto` is bf16 on a GPU that has it, else float32.

    CPUs stay at float32: without AMX or avx512_bf16 the 16-bit formats are emulated, 5 to 300 times slower.

    Raises:
        UsageError: fp16 is asked for on a CPU, where gradients cannot be scaled safely.
    """
    if name == "fp16" and device.type == "cpu":
        raise UsageError("precision 'fp16' needs a GPU; on a CPU use 'fp32'")
    if name == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return Precision(device, torch.bfloat16 if has_bf16 else None)
    return Precision(device, FORMATS.get(name))
