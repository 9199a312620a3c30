"""Which pixels of an image each number inside a network can depend on, followed from operation to operation.

Each tensor carries, for each axis of the image, the interval of pixels that its positions see: position i the pixels
from `first` + i `step` to `last` + i `step`. Padding counts, so an interval may reach beyond the image. Where
branches meet, it covers all of them. That is exact for the operations of `RULES` and `ELEMENTWISE`; after any other
operation, or where branches of different stride meet, what is seen is unknown and stays so: it is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Axis:
    """What the positions of a tensor see along one axis of the image, which is `pixels` long.

    Position i of `count` sees the pixels from `first` + i `step` to `last` + i `step`; both are infinite where it
    sees all. Positions lie along dimension `dim` of the tensor; None: all its numbers see the same.
    """

    first: float
    last: float
    step: int
    count: int
    dim: int | None
    pixels: int

    @property
    def size(self) -> int:
        """Pixels seen by one position."""
        seen = self.last - self.first
        return self.pixels if math.isinf(seen) else int(seen) + 1

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int, count: int) -> Axis:
        """After a convolution or pooling along it, with `count` positions."""
        first = self.first - padding * self.step
        last = self.last + (dilation * (kernel - 1) - padding) * self.step
        return replace(self, first=first, last=last, step=self.step * stride, count=count)

    def collapsed(self, dim: int | None) -> Axis:
        """After all positions became one, at `dim` where that is kept."""
        first, last = self.first, self.last + (self.count - 1) * self.step
        if first <= 0 and last >= self.pixels - 1:
            first, last = -math.inf, math.inf
        return replace(self, first=first, last=last, step=0, count=1, dim=dim)


View = tuple[Axis, ...]  # one for each axis of the image


class _UnknownError(Exception):
    """What comes out sees pixels that cannot be told."""


def _dims(tensor: Tensor, dims: Sequence[int] | int) -> list[int]:
    """Dimensions counted from the front."""
    return [dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims)]


def per_axis(value: Sequence[int] | int, count: int) -> list[int]:
    """One number an axis, whether one was given or as many."""
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * count if len(numbers) == 1 else numbers


def _alone(axis: Axis, tensor: Tensor) -> bool:
    """Whether the axis has its dimension of `tensor` for itself, as it has not in flattened maps."""
    return axis.dim is not None and tensor.shape[axis.dim] == axis.count


def _through_windows(
    view: View, maps: Tensor, out: Tensor, kernel: list[int], stride: list[int], padding: list[int], dilation: list[int]
) -> View:
    """Windows over the last dimensions of `maps`, one for each number in `kernel`."""
    lead = maps.dim() - len(kernel)
    axes = []
    for axis in view:
        place = -1 if axis.dim is None else axis.dim - lead
        if axis.dim is None or place < 0:
            axes.append(axis)
        elif _alone(axis, maps):
            count = out.shape[axis.dim]
            axes.append(axis.windowed(kernel[place], stride[place], padding[place], dilation[place], count))
        elif (kernel[place], stride[place], padding[place]) == (1, 1, 0):
            axes.append(axis)
        else:
            raise _UnknownError
    return tuple(axes)


def _convolution(view: View, args: Sequence[Any], out: Tensor) -> View:
    transposed = args[6]
    if transposed or any(axis.dim in (0, 1) for axis in view):  # 1: positions lie among the channels
        raise _UnknownError
    kernel = list(args[1].shape[2:])
    stride, padding, dilation = (per_axis(args[place], len(kernel)) for place in (3, 4, 5))
    return _through_windows(view, args[0], out, kernel, stride, padding, dilation)


def _pool(axes: int, dilated: bool) -> Callable[[View, Sequence[Any], Tensor], View]:
    def rule(view: View, args: Sequence[Any], out: Tensor) -> View:
        kernel = per_axis(args[1], axes)
        stride = per_axis(args[2], axes) if len(args) > 2 and args[2] else kernel
        padding = per_axis(args[3], axes) if len(args) > 3 else [0] * axes
        dilation = per_axis(args[4], axes) if dilated and len(args) > 4 else [1] * axes
        return _through_windows(view, args[0], out, kernel, stride, padding, dilation)

    return rule


def _adaptive_pool(view: View, args: Sequence[Any], out: Tensor) -> View:
    maps = args[0]
    lead = maps.dim() - len(args[1])
    before, after = maps.shape[lead:], out.shape[lead:]
    if any(old % new for old, new in zip(before, after, strict=True)):  # windows of more than one size
        raise _UnknownError
    kernel = [old // new for old, new in zip(before, after, strict=True)]
    return _through_windows(view, maps, out, kernel, kernel, [0] * len(kernel), [1] * len(kernel))


def _reduce(view: View, args: Sequence[Any], out: Tensor) -> View:
    dims = _dims(args[0], args[1]) if len(args) > 1 and args[1] is not None else list(range(args[0].dim()))
    keep = out.dim() == args[0].dim()
    axes = []
    for axis in view:
        if axis.dim is None:
            axes.append(axis)
        elif axis.dim in dims:
            axes.append(axis.collapsed(axis.dim if keep else None))
        else:
            axes.append(axis if keep else replace(axis, dim=axis.dim - sum(dim < axis.dim for dim in dims)))
    return tuple(axes)


def _matrix_product(view: View, maps: Tensor) -> View:
    """A linear layer on `maps` (N, F): all that lies along F becomes one."""
    if any(axis.dim not in (None, maps.dim() - 1) for axis in view):
        raise _UnknownError
    return tuple(axis if axis.dim is None else axis.collapsed(None) for axis in view)


def _mm(view: View, args: Sequence[Any], out: Tensor) -> View:
    return _matrix_product(view, args[0])


def _addmm(view: View, args: Sequence[Any], out: Tensor) -> View:
    return _matrix_product(view, args[1])


def _pad(view: View, args: Sequence[Any], out: Tensor) -> View:
    before = {out.dim() - 1 - place: left for place, left in enumerate(args[1][::2])}
    after = {out.dim() - 1 - place: right for place, right in enumerate(args[1][1::2])}
    axes = []
    for axis in view:
        left, right = (0, 0) if axis.dim is None else (before.get(axis.dim, 0), after.get(axis.dim, 0))
        if (left or right) and not _alone(axis, args[0]):
            raise _UnknownError
        moved = left * axis.step
        count = axis.count + left + right
        axes.append(replace(axis, first=axis.first - moved, last=axis.last - moved, count=count))
    return tuple(axes)


def _slice(view: View, args: Sequence[Any], out: Tensor) -> View:
    (dim,) = _dims(args[0], args[1] if len(args) > 1 else 0)
    if args[0].shape == out.shape:
        return view
    start = (args[2] if len(args) > 2 else None) or 0
    start = start + args[0].shape[dim] if start < 0 else start
    stride = args[4] if len(args) > 4 else 1
    axes = []
    for axis in view:
        if axis.dim != dim:
            axes.append(axis)
        elif _alone(axis, args[0]):
            first, last = axis.first + start * axis.step, axis.last + start * axis.step
            axes.append(replace(axis, first=first, last=last, step=axis.step * stride, count=out.shape[dim]))
        else:
            raise _UnknownError
    return tuple(axes)


def _along_channels(view: View, args: Sequence[Any], out: Tensor) -> View:
    """A choice of numbers along a dimension in which no positions lie."""
    (dim,) = _dims(args[0], args[1])
    if any(axis.dim == dim for axis in view):
        raise _UnknownError
    return view


def _split(view: View, args: Sequence[Any], out: Tensor) -> View:
    return _along_channels(view, (args[0], args[2] if len(args) > 2 else 0), out)


def _unsqueeze(view: View, args: Sequence[Any], out: Tensor) -> View:
    dim = args[1] % out.dim()
    return tuple(axis if axis.dim is None or axis.dim < dim else replace(axis, dim=axis.dim + 1) for axis in view)


def _squeeze(view: View, args: Sequence[Any], out: Tensor) -> View:
    asked = args[1] if len(args) > 1 else range(args[0].dim())
    dims = [dim for dim in _dims(args[0], asked) if args[0].shape[dim] == 1]
    axes = []
    for axis in view:
        if axis.dim is None or axis.dim in dims:
            axes.append(replace(axis, dim=None))
        else:
            axes.append(replace(axis, dim=axis.dim - sum(dim < axis.dim for dim in dims)))
    return tuple(axes)


def _reshape(view: View, args: Sequence[Any], out: Tensor) -> View:
    """Flattened and unflattened maps: positions are the fastest-running numbers of the dimension they end up in."""
    moved = dict[int, int]()  # old dimension: new one
    for old, new in _groups(tuple(args[0].shape), tuple(out.shape)):
        inside = [axis for axis in view if axis.dim in old]
        positions = math.prod(axis.count for axis in inside)
        target = _dimension_of(positions, new, tuple(out.shape))
        if inside and not _are_fastest(inside, old, tuple(args[0].shape)):
            raise _UnknownError
        moved.update(dict.fromkeys(old, target))
    return tuple(axis if axis.dim is None else replace(axis, dim=moved[axis.dim]) for axis in view)


def _groups(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Dimensions of the two shapes that hold the same numbers, split as finely as can be."""
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        group = ([i], [j])
        left, right = old[i], new[j]
        while left != right:
            if left < right:
                i += 1
                group[0].append(i)
                left *= old[i]
            else:
                j += 1
                group[1].append(j)
                right *= new[j]
        found.append(group)
        i, j = i + 1, j + 1
    found[-1][0].extend(range(i, len(old)))  # ones at the end
    found[-1][1].extend(range(j, len(new)))
    return found


def _are_fastest(axes: list[Axis], old: list[int], shape: tuple[int, ...]) -> bool:
    """Whether the positions of `axes` are the last dimensions of a group, and alone there."""
    places = sorted({axis.dim for axis in axes if axis.dim is not None and axis.count > 1})
    if not places:
        return True
    tail = [dim for dim in old if dim >= places[0] and shape[dim] > 1]
    return places == tail and (
        len(places) == 1 or math.prod(shape[dim] for dim in tail) == math.prod(axis.count for axis in axes)
    )


def _dimension_of(positions: int, new: list[int], shape: tuple[int, ...]) -> int:
    """The one new dimension that holds the `positions` fastest numbers, possibly beside channels."""
    wide = [dim for dim in new if shape[dim] > 1] or new[-1:]
    if positions in (1, shape[wide[-1]]) or len(wide) == 1:
        return wide[-1]
    raise _UnknownError


def _same(view: View, args: Sequence[Any], out: Tensor) -> View:
    return view


Rule = Callable[[View, Sequence[Any], Tensor], View]
RULES: dict[str, Rule] = {  # operations on one tensor of the image
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool(2, dilated=True),
    "max_pool3d_with_indices": _pool(3, dilated=True),
    "avg_pool1d": _pool(1, dilated=False),
    "avg_pool2d": _pool(2, dilated=False),
    "avg_pool3d": _pool(3, dilated=False),
    "_adaptive_avg_pool2d": _adaptive_pool,
    "_adaptive_avg_pool3d": _adaptive_pool,
    "mean": _reduce,
    "amax": _reduce,
    "sum": _reduce,
    "mm": _mm,
    "addmm": _addmm,
    "constant_pad_nd": _pad,
    "slice": _slice,
    "index_select": _along_channels,
    "split": _split,
    "split_with_sizes": _split,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "view": _reshape,
    "_unsafe_view": _reshape,
    "native_batch_norm": _same,
    "_native_batch_norm_legit_no_training": _same,
}
ELEMENTWISE = {  # operations on any number of tensors, which meet position by position
    *("add", "sub", "rsub", "mul", "div", "lerp", "neg", "pow"),
    *("relu", "silu", "sigmoid", "tanh"),
    *("alias", "clone", "detach", "_to_copy", "cat"),
}


def _met(views: list[tuple[View, Tensor]], out: Tensor) -> View:
    """What sees a position of `out` where the tensors are added, multiplied or put side by side."""
    aligned = [
        [axis if axis.dim is None else replace(axis, dim=axis.dim + out.dim() - tensor.dim()) for axis in view]
        for view, tensor in views
    ]
    return tuple(_meet(list(axes)) for axes in zip(*aligned, strict=True))


def _meet(axes: list[Axis]) -> Axis:
    """One axis of several tensors: positions meet where they move, what does not move is seen by all."""
    count = max(axis.count for axis in axes)
    moving = [axis for axis in axes if axis.count == count]
    still = [axis for axis in axes if axis.count < count]
    if count > 1 and len({(axis.dim, axis.step) for axis in moving}) > 1:
        raise _UnknownError
    if any(not math.isinf(axis.last - axis.first) for axis in still):
        raise _UnknownError
    best = max(moving, key=lambda axis: (axis.dim is not None, axis.step))
    return replace(best, first=min(axis.first for axis in axes), last=max(axis.last for axis in axes))


def start(image: Tensor) -> View:
    """What an image (N, C, ...) sees: each position its own pixel."""
    return tuple(Axis(0, 0, 1, pixels, dim, pixels) for dim, pixels in enumerate(image.shape[2:], start=2))


def follow(name: str, sources: Sequence[tuple[View | None, Tensor]], args: Sequence[Any], out: Tensor) -> View | None:
    """What the result of one operation sees, or None where that cannot be told.

    Args:
        name: of torch's operation, such as `convolution` or `add`, without an underscore at the end.
        sources: the tensors among `args` that depend on the image, each with what it sees.
        args: what the operation was called with.
        out: its first result.
    """
    known = [(view, tensor) for view, tensor in sources if view is not None]
    try:
        if len(known) == len(sources) and name in ELEMENTWISE:
            return _met(known, _not_joined(known, args, out) if name == "cat" else out)
        if len(known) == len(sources) == 1 and name in RULES and known[0][1] is args[name == "addmm"]:
            return RULES[name](known[0][0], args, out)
    except _UnknownError:
        pass
    return None


def _not_joined(known: list[tuple[View, Tensor]], args: Sequence[Any], out: Tensor) -> Tensor:
    """`out` itself, where tensors were put side by side along a dimension without positions."""
    dim = args[1] % out.dim() if len(args) > 1 else 0
    if any(axis.dim == dim for view, _ in known for axis in view):
        raise _UnknownError
    return out
