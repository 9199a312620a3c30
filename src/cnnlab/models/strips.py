"""Narrow maps laid side by side for convolutions, which fills the matrix tiles of a CPU.

AMX multiplies tiles of 16 rows by 32 columns of bfloat16, and what oneDNN's convolutions reach falls with the width of
the maps, as if each row of a map had tiles of its own: of one 3 pixels wide most of a tile is empty. Maps in strips of
some 64 pixels, with columns of zeros between them, give the same outputs; docs/performance.md has what that is worth,
and that without AMX it costs a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

WIDEST_MAP, STRIP_PIXELS = 8, 64


class Strips(TorchFunctionMode):
    """A context in which convolutions of narrow maps are computed on strips of several maps, with the same outputs."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.conv2d and len(args) == 7 and not kwargs and not torch.compiler.is_compiling():
            return convolve(*args)
        return func(*args, **(kwargs or {}))


def convolve(
    maps: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int] | str,
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """What `torch.conv2d` gives, for any arguments that `torch.nn.Conv2d` hands to it."""
    if not isinstance(padding, str) and tuple(stride) == tuple(dilation) == (1, 1) and groups == 1:
        beside = maps_beside(maps, weight.shape[3], padding[1])
        if beside > 1:
            strips = lay_beside(maps, beside, gap=padding[1])
            return take_apart(F.conv2d(strips, weight, bias, padding=padding), beside, maps.shape[3])
    return F.conv2d(maps, weight, bias, stride, padding, dilation, groups)


def maps_beside(maps: Tensor, kernel_width: int, padding: int) -> int:
    """How many of these maps (N, C, H, W) to lay side by side; 1 where a strip would not pay or not be the same."""
    count, _, _, width = maps.shape
    same_width = padding > 0 and kernel_width == 2 * padding + 1
    if not (same_width and 0 < width <= WIDEST_MAP and maps.is_contiguous(memory_format=torch.channels_last)):
        return 1
    wanted = math.ceil(STRIP_PIXELS / (width + padding))
    return math.gcd(count, 1 << (wanted - 1).bit_length())  # the power of two that is not less


def lay_beside(maps: Tensor, beside: int, *, gap: int) -> Tensor:
    """Strips (N / beside, C, H, beside * (W + gap)) of maps (N, C, H, W), each with `gap` columns of zeros after it."""
    count, channels, height, width = maps.shape
    rows = maps.permute(0, 2, 3, 1).reshape(count // beside, beside, height, width, channels).transpose(1, 2)
    padded = F.pad(rows, (0, 0, 0, gap))
    return padded.view(count // beside, height, beside * (width + gap), channels).permute(0, 3, 1, 2)


def take_apart(strips: Tensor, beside: int, width: int) -> Tensor:
    """The maps (N, C, H, `width`) of such strips, without what is between them."""
    count, channels, height, _ = strips.shape
    rows = strips.permute(0, 2, 3, 1).reshape(count, height, beside, -1, channels)[..., :width, :].transpose(1, 2)
    return rows.reshape(count * beside, height, width, channels).contiguous().permute(0, 3, 1, 2)
