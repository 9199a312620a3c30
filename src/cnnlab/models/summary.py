"""A network layer by layer: output shape, parameters, multiply-accumulates, receptive field and stride.

The network runs once on torch's meta device, where tensors have shapes and no values. Hooks tell which module runs;
beside them every operation that torch dispatches is watched, because hooks alone miss the poolings, slices and means
that a forward calls as functions. Poolings called so get rows of their own, and receptive fields are right through
all of them, see `receptive_field`. Fields include padding, so they may exceed the image; a layer that sees every
pixel, as after global pooling, has the image's own sizes as its field; where a field cannot be told, it is None.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from cnnlab.models.catalog import create_model, require_model
from cnnlab.models.layers import Network
from cnnlab.models.receptive_field import View, follow, per_axis, start

HIDDEN = (nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Dropout, nn.Identity)  # rows only where all rows are asked for
POOLINGS = {  # torch's operations that get a row where a forward calls them as functions
    "max_pool2d_with_indices": "max pool",
    "max_pool3d_with_indices": "max pool",
    "avg_pool1d": "average pool",
    "avg_pool2d": "average pool",
    "avg_pool3d": "average pool",
    "_adaptive_avg_pool2d": "average pool",
    "_adaptive_avg_pool3d": "average pool",
    "mean": "average pool",
    "amax": "max pool",
}
WHOLE_MAPS = ("_adaptive", "mean", "amax")  # poolings whose kernel is what their output leaves of the maps
GATING = {"mul", "lerp"}  # a gate of squeeze-and-excitation scales maps; its layers are beside the path, not on it
UNUSED = "not run by forward"  # the kind of a module that only `forward_with_aux` runs


@dataclass(frozen=True)
class Layer:
    """One row: a module's call, a pooling called as a function, or `repeats` blocks in a row, summed.

    `output` is the shape without the batch (of the last block), None where forward does not run the module.
    `receptive_field` and `stride` have one number of pixels for each axis of the image; None where unknown, and
    no stride where positions are gone.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    parameters: int
    macs: int
    receptive_field: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    repeats: int = 1


@dataclass(frozen=True)
class Summary:
    """The rows in call order, what they sum to, and the sizes of the image, without channels.

    `parameters` counts all; `unused_parameters` are those of auxiliary heads, which forward does not run. `depth`
    counts convolutions and linear layers on the longest way from the image to the logits, as papers count layers.
    """

    layers: tuple[Layer, ...]
    parameters: int
    macs: int
    depth: int
    unused_parameters: int
    in_channels: int
    image: tuple[int, ...]


def summarise(network: nn.Module, in_channels: int, sizes: tuple[int, ...], depth: int | None = None) -> Summary:
    """The rows of `network` for one image of `in_channels` and `sizes`, such as (224, 224).

    Args:
        network: left as it is; a copy goes to the meta device, in evaluation mode.
        in_channels: of the image.
        sizes: of the image without channels: (H, W), (L,) of a signal, (T, H, W) of a clip.
        depth: how many calls deep to open modules, every row kept. None for a table to read: containers are
            open, blocks closed, equal blocks in a row of a stage are one row, and activations are left out.

    Raises:
        UsageError: the network does not take images of this size.
    """
    root, layers_deep, unused = _trace(network, in_channels, sizes)
    rows = list(_folded(root)) if depth is None else list(_opened(root, depth))
    rows += unused
    return Summary(
        layers=tuple(rows),
        parameters=sum(row.parameters for row in rows),
        macs=sum(row.macs for row in rows),
        depth=layers_deep,
        unused_parameters=sum(row.parameters for row in unused),
        in_channels=in_channels,
        image=sizes,
    )


def summarise_model(name: str, *, pixels: int | None = None, depth: int | None = None, **options: object) -> Summary:
    """The rows of a network of the catalogue; see `summarise`.

    `pixels` is another side of the images (of clips height and width), `options` the builder's own arguments.

    Raises:
        UnknownNameError: there is no such network.
        UsageError: the network has no such option, or does not take images of this size.
    """
    sizes = require_model(name).sizes
    with torch.device("meta"):  # shapes only: nothing is allocated or drawn
        network: Network = create_model(name, **options)
    if pixels is not None:
        sizes = sizes[:-2] + (pixels,) * min(len(sizes), 2)
    return summarise(network, network.in_channels, sizes, depth)


# -- one run --------------------------------------------------------------------------------------------------


@dataclass
class _Call:
    """One call of a module, or one operation called as a function, and the calls inside."""

    name: str
    kind: str
    module: nn.Module | None = None
    parameters: int = 0
    macs: int = 0
    output: tuple[int, ...] | None = None
    view: View | None = None
    named: bool = False  # it returned a dict of intermediates
    calls: list[_Call] = field(default_factory=list)

    def total(self, what: str) -> int:
        """The sum of `what` over this call and all inside."""
        own: int = getattr(self, what)
        return own + sum(call.total(what) for call in self.calls)


@dataclass(frozen=True)
class _Known:
    """A tensor that depends on the image (kept, so that its id stays its own), what it sees, and how deep it lies."""

    tensor: Tensor
    view: View | None
    depth: int


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every call and what its result sees."""

    def __init__(self, root: _Call, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stack = [root]
        self.known = {id(image): _Known(image, start(image), 0)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [each for each in (out if isinstance(out, tuple | list) else [out]) if isinstance(each, Tensor)]
        if tensors:
            self.note(func, args, kwargs or {}, out, tensors)
        return out

    def note(self, func: Any, args: Any, kwargs: dict[str, Any], out: Any, tensors: list[Tensor]) -> None:
        """Remember what the results of one operation see, how deep they lie, and what it cost."""
        name = func._schema.name.removeprefix("aten::").rstrip("_")
        formula = flop_registry.get(func._overloadpacket)
        sources = self.sources(args)
        view = follow(name, [(each.view, each.tensor) for each in sources], args, tensors[0]) if sources else None
        if sources:
            many = name.startswith("split")
            depth = _depth(name, sources) + (formula is not None)
            self.known.update({id(each): _Known(each, view if many else None, depth) for each in tensors})
            self.known[id(tensors[0])] = _Known(tensors[0], view, depth)
        macs = formula(*args, **kwargs, out_val=out) // 2 if formula else 0
        self.cost(name, args, tensors[0], view, macs)

    def sources(self, args: Any) -> list[_Known]:
        """The arguments that depend on the image."""
        flat = [each for arg in args for each in (arg if isinstance(arg, tuple | list) else [arg])]
        return [self.known[id(each)] for each in flat if id(each) in self.known]

    def cost(self, name: str, args: Any, out: Tensor, view: View | None, macs: int) -> None:
        """Give MACs to the module that runs, and poolings called as functions a row."""
        owner = self.stack[-1]
        inside = owner.module is not None and not any(True for _ in owner.module.children())
        changed = name in POOLINGS and (out.shape != args[0].shape or not name.startswith(WHOLE_MAPS))
        if inside or not (changed or macs):
            owner.macs += macs
            return
        title = POOLINGS.get(name, name)
        place = f"{owner.name} ({'pool' if name in POOLINGS else name})".lstrip()
        call = _Call(place, title + _function_kernel(name, args), macs=macs)
        call.output, call.view = tuple(out.shape[1:]), view
        owner.calls.append(call)

    def enter(self, call: _Call) -> None:
        """A module is called."""
        self.stack[-1].calls.append(call)
        self.stack.append(call)

    def leave(self, output: object) -> None:
        """It has returned."""
        call = self.stack.pop()
        call.named = isinstance(output, dict)
        values = list(output.values()) if isinstance(output, dict) else output
        last = values[-1] if isinstance(values, list | tuple) else values
        if isinstance(last, Tensor):
            call.output = tuple(last.shape[1:])
            known = self.known.get(id(last))
            call.view = known.view if known else None


def _depth(name: str, sources: Sequence[_Known]) -> int:
    """How deep the deepest source lies; of a product, the deepest of the largest."""
    if name in GATING:
        largest = max(each.tensor.numel() for each in sources)
        sources = [each for each in sources if each.tensor.numel() == largest]
    return max(each.depth for each in sources)


def _trace(network: nn.Module, in_channels: int, sizes: tuple[int, ...]) -> tuple[_Call, int, list[Layer]]:
    """The calls of one forward, the logits' depth, and rows for the modules with parameters that it did not call."""
    owned = Counter[str]()
    for name, parameter in network.named_parameters():
        owned[name.rpartition(".")[0]] += parameter.numel()
    skeleton = copy.deepcopy(network).to("meta", torch.float32).eval()
    image = torch.empty(1, in_channels, *sizes, device="meta")
    root = _Call("", type(network).__name__, skeleton, owned.pop("", 0))
    recorder = _Recorder(root, image)
    called: set[str] = set()
    for name, module in skeleton.named_modules():
        if name:
            _hook(module, name, recorder, owned, called)
    with recorder, torch.no_grad():
        recorder.stack.append(root)
        logits = skeleton(image)
        recorder.leave(logits)
    known = recorder.known.get(id(logits))
    return root, known.depth if known else 0, list(_unused(skeleton, owned, called))


def _hook(module: nn.Module, name: str, recorder: _Recorder, owned: Counter[str], called: set[str]) -> None:
    def before(*_: object) -> None:
        called.add(name)
        recorder.enter(_Call(name, _kind(module), module, owned.pop(name, 0)))  # a second call has none of its own

    def after(_module: nn.Module, _images: object, output: object) -> None:
        recorder.leave(output)

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)


def _unused(network: nn.Module, owned: Counter[str], called: set[str]) -> Iterator[Layer]:
    """A row for each outermost module none of whose parts was called."""
    live = {".".join(name.split(".")[: count + 1]) for name in called for count in range(name.count(".") + 1)}
    totals = Counter[str]()
    for path, count in owned.items():
        parts = path.split(".")
        tops = (".".join(parts[: depth + 1]) for depth in range(len(parts)))
        totals[next((top for top in tops if top not in live), path)] += count
    for name, count in totals.items():
        yield Layer(name, f"{_kind(network.get_submodule(name))}, {UNUSED}", None, count, 0, None, None)


# -- rows -----------------------------------------------------------------------------------------------------


def _opened(call: _Call, depth: int) -> Iterator[Layer]:
    """Every call inside, `depth` deep."""
    for child in call.calls:
        if child.calls and depth > 1 and not child.parameters:
            yield from _opened(child, depth - 1)
        else:
            yield _row(child)


def _folded(call: _Call, top: bool = True) -> Iterator[Layer]:
    """Containers opened, equal blocks of a stage together, activations left out."""
    for key, run in groupby(call.calls, key=lambda child: _same_block(child, top)):
        calls = list(run)
        if len(calls) > 1 and key[0] != "alone":
            yield _together([_row(child) for child in calls])
            continue
        for child in calls:
            if _is_container(child):
                yield from _folded(child, top=False)
            elif not isinstance(child.module, HIDDEN):
                yield _row(child)


def _is_container(call: _Call) -> bool:
    """Whether a module only runs its parts one after another."""
    return bool(call.calls) and not call.parameters and (isinstance(call.module, nn.Sequential) or call.named)


def _same_block(call: _Call, top: bool) -> tuple[object, ...]:
    """A key that blocks share which may be one row: in a stage, of one class and one output."""
    if top or not call.calls or _is_container(call):
        return ("alone", id(call))
    return (type(call.module), call.output)


def _together(rows: list[Layer]) -> Layer:
    """Blocks in a row as one, with the last one's output."""
    first, last = rows[0], rows[-1]
    return replace(
        last,
        name=f"{first.name}-{last.name.rpartition('.')[2]}",
        kind=last.kind if len({row.kind for row in rows}) == 1 else last.kind.partition(" ")[0],
        parameters=sum(row.parameters for row in rows),
        macs=sum(row.macs for row in rows),
        repeats=len(rows),
    )


def _row(call: _Call) -> Layer:
    view = call.view
    dims = [axis.dim for axis in view or ()]
    placed = view is not None and None not in dims and len(set(dims)) == len(dims)
    return Layer(
        name=call.name,
        kind=call.kind + _only_kernel(call),
        output=call.output,
        parameters=call.total("parameters"),
        macs=call.total("macs"),
        receptive_field=tuple(axis.size for axis in view) if view else None,
        stride=tuple(axis.step for axis in view) if view and placed and all(axis.step for axis in view) else None,
    )


def _kind(module: nn.Module) -> str:
    """The class, and of a convolution or pooling its kernel, stride and groups."""
    text = type(module).__name__
    kernel, stride = getattr(module, "kernel_size", None), getattr(module, "stride", 1)
    if kernel is None or isinstance(kernel, nn.Module):
        return text
    axes = 1 if "1d" in text else 3 if "3d" in text else 2
    groups = getattr(module, "groups", 1)
    return f"{text}{_kernel(kernel, stride, axes)}" + (f", {groups} groups" if groups > 1 else "")


def _kernel(kernel: Sequence[int] | int, stride: Sequence[int] | int, axes: int) -> str:
    """As ` 7x7/2`."""
    sides, steps = per_axis(kernel, axes), per_axis(stride, axes)
    moves = "x".join(map(str, steps)) if len(set(steps)) > 1 else str(steps[0])
    return " " + "x".join(map(str, sides)) + (f"/{moves}" if moves != "1" else "")


def _function_kernel(name: str, args: Sequence[Any]) -> str:
    if name.startswith(WHOLE_MAPS) or name not in POOLINGS:
        return ""
    axes = int(name.partition("pool")[2][0])
    return _kernel(args[1], args[2] if len(args) > 2 and args[2] else args[1], axes)


def _only_kernel(call: _Call) -> str:
    """The kernel of a closed block that has a single convolution, such as convolution, norm and ReLU."""
    kinds = [child.kind for child in _leaves(call) if child.macs]
    return " " + kinds[0].partition(" ")[2] if call.calls and len(kinds) == 1 and "Conv" in kinds[0] else ""


def _leaves(call: _Call) -> Iterator[_Call]:
    for child in call.calls:
        yield from _leaves(child) if child.calls else [child]
