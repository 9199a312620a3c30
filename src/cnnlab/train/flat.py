"""Many tensors as one a number format, so that a GPU goes over all of them in a few kernels instead of hundreds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class Flat:
    """Tensors of any shapes that are copied into one long tensor for each of their formats, and back from such."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        by_format: dict[torch.dtype, list[Tensor]] = defaultdict(list)
        for each in tensors:
            by_format[each.dtype].append(each.detach())
        self.formats = tuple(by_format)
        self._groups = [_in_memory_order(group) for group in by_format.values()]

    @torch.no_grad()
    def gather(self) -> list[Tensor]:
        """A copy of all of them, (n,) for each of `formats`."""
        return [torch.cat([each.reshape(-1) for each in group]) for group in self._groups]

    @torch.no_grad()
    def scatter(self, flats: Sequence[Tensor]) -> None:
        """Give all of them the values of `flats`, laid out as `gather` does."""
        for group, flat in zip(self._groups, flats, strict=True):
            parts = torch.split(flat, [each.numel() for each in group])
            torch._foreach_copy_(group, [part.view(each.shape) for part, each in zip(parts, group, strict=True)])

    def keep_where(self, kept: Tensor, before: Sequence[Tensor]) -> None:
        """Leave all as they are where the truth value `kept` is true, else put back what `gather` gave `before`."""
        self.scatter([torch.where(kept, now, then) for now, then in zip(self.gather(), before, strict=True)])


def _in_memory_order(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Views (n,) of their memory; channels_last would have to be laid out anew otherwise. Those with gaps stay."""
    return [each.as_strided((each.numel(),), (1,)) if _has_no_gaps(each) else each for each in tensors]


def _has_no_gaps(tensor: Tensor) -> bool:
    reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    overlaps = any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.numel() == reach and not overlaps
