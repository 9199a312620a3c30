"""Which operation of a network feeds which: the data flow of one forward, as a graph of layers.

The network runs once on torch's meta device, where tensors have shapes and no values. A module without submodules is
one node; what a forward calls as a function (a pooling, an addition, a concatenation) is a node of its own. Views,
paddings and multiplications by a number are no nodes: their result counts as made by what made their input.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnnlab.models import Network
from cnnlab.models.layers import LocalResponseNorm
from cnnlab.models.receptive_field import per_axis


class Kind(Enum):
    """What a node does; the value is what a reader calls it."""

    IMAGE = "image"
    CONV = "convolution"
    POINTWISE = "1×1 convolution"
    LINEAR = "fully connected"
    POOL = "pooling"
    OTHER = "other layer"
    NORM = "normalisation"
    ACTIVATION = "activation"
    DROPOUT = "dropout"
    ADD = "addition"
    CONCAT = "concatenation"
    MULTIPLY = "multiplication"
    MIX = "mix by a gate"


@dataclass(frozen=True)
class Node:
    """One operation: `inputs` are indices of earlier nodes, `output` is the shape without the batch.

    `label` is what stands in its box, such as "3×3 /2"; `name` the module's path, empty for a function; `layers` is 1
    if it has weights and is no normalisation, else 0. MACs are those of convolutions and linear layers.
    """

    kind: Kind
    label: str
    inputs: tuple[int, ...]
    output: tuple[int, ...]
    name: str = ""
    groups: int = 1
    parameters: int = 0
    macs: int = 0
    layers: int = 0


@dataclass(frozen=True)
class Graph:
    """The nodes in the order they ran, node 0 the image.

    `features` (those that are maps, no vectors), `logits` and `aux` point at nodes.
    """

    nodes: tuple[Node, ...]
    features: dict[str, int]
    logits: int
    aux: dict[str, int]


ACTIVATIONS = {
    "relu": "ReLU",
    "silu": "SiLU",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
}
POOLS = {  # torch's operation: what a reader calls it
    "max_pool1d": "max",
    "max_pool2d_with_indices": "max",
    "max_pool3d_with_indices": "max",
    "amax": "max",
    "avg_pool1d": "avg",
    "avg_pool2d": "avg",
    "avg_pool3d": "avg",
    "_adaptive_avg_pool2d": "avg",
    "_adaptive_avg_pool3d": "avg",
    "mean": "avg",
}
JOINS = {"add": Kind.ADD, "cat": Kind.CONCAT, "mul": Kind.MULTIPLY, "lerp": Kind.MIX}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, LocalResponseNorm)
ACTIVATION_MODULES = (nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh)
POOL_MODULES = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def trace(network: Network, sizes: tuple[int, ...]) -> Graph:
    """The data flow for one image of `sizes`, such as (224, 224), with the auxiliary heads.

    The network has to be on the meta device, and is spent: hooks stay on it.

    Raises:
        UsageError: the network does not take images of this size.
    """
    network.eval()
    images = torch.empty(1, network.in_channels, *sizes, device="meta")
    recorder = _Recorder(images)
    for name, module in network.named_modules():
        if not any(True for _ in module.children()):
            recorder.watch(name, module)
    features: dict[str, int] = {}
    _watch_features(network, recorder, features)
    with recorder, torch.no_grad():
        logits, aux = network.forward_with_aux(images)
    return Graph(
        nodes=tuple(_grown(recorder.nodes)),
        features=features,
        logits=recorder.node_of(logits),
        aux={name: recorder.node_of(output) for name, output in aux.items()},
    )


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes a node for each leaf module and each function that is called."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes = [Node(Kind.IMAGE, "image", (), tuple(images.shape[1:]))]
        self.made: dict[int, tuple[Tensor, int]] = {id(images): (images, 0)}  # tensors are kept: their ids stay theirs
        self.inside = False  # a leaf module
        self.called: set[str] = set()

    def node_of(self, tensor: Tensor) -> int:
        """The index of the node that made a tensor."""
        return self.made[id(tensor)][1]

    def sources(self, values: object) -> tuple[int, ...]:
        """The nodes that made the tensors among `values`, in order; others depend on no image."""
        flat = [each for value in _sequence(values) for each in _sequence(value)]
        return tuple(self.made[id(each)][1] for each in flat if id(each) in self.made)

    def add(self, node: Node, out: Tensor) -> None:
        """Remember a node and what it made."""
        self.made[id(out)] = (out, len(self.nodes))
        self.nodes.append(node)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sources = () if self.inside else self.sources(args)
        if sources:
            results = [each for each in _sequence(out) if isinstance(each, Tensor)]
            self.note(func._schema.name.removeprefix("aten::").rstrip("_"), args, sources, results)
        return out

    def note(self, name: str, args: Any, sources: tuple[int, ...], results: list[Tensor]) -> None:
        """A function that was called: a node, or nothing that a reader needs to see."""
        node = _function(name, args, sources, results[0])
        if node is not None:
            self.add(node, results[0])
        else:
            self.made.update({id(each): (each, sources[0]) for each in results})

    def watch(self, name: str, module: nn.Module) -> None:
        """Make a leaf module's calls nodes."""

        def before(*_: object) -> None:
            self.inside = True

        def after(_module: nn.Module, inputs: object, output: Tensor) -> None:
            self.inside = False
            sources = self.sources(inputs)
            if not isinstance(module, nn.Identity):
                node = _module_node(name, module, sources, output)
                self.add(replace(node, parameters=0, layers=0) if name in self.called else node, output)
                self.called.add(name)

        if isinstance(module, NORMS):  # torch works their shapes out in Python, most of a trace's time; they keep it
            module.forward = torch.empty_like  # type: ignore[method-assign]
        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _watch_features(network: Network, recorder: _Recorder, found: dict[str, int]) -> None:
    """Note which node made each named intermediate, when `features` returns them."""

    def note(named: dict[str, Tensor]) -> None:
        found.update({name: recorder.node_of(tensor) for name, tensor in named.items() if tensor.dim() > 2})

    features = network.features
    if isinstance(features, nn.Module):
        features.register_forward_hook(lambda _module, _images, named: note(named))
        return

    def watched(images: Tensor) -> dict[str, Tensor]:
        named = features(images)
        note(named)
        return named

    object.__setattr__(network, "features", watched)


def _module_node(name: str, module: nn.Module, inputs: tuple[int, ...], output: Tensor) -> Node:
    kind, label = _module_kind(module, output)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    weight = getattr(module, "weight", None)
    counted = isinstance(weight, Tensor) and isinstance(module, (*CONVS, nn.Linear))
    return Node(
        kind=kind,
        label=label,
        inputs=inputs,
        output=tuple(output.shape[1:]),
        name=name,
        groups=getattr(module, "groups", 1),
        parameters=parameters,
        macs=output.numel() * weight[0].numel() if counted and weight is not None else 0,
        layers=int(parameters > 0 and kind is not Kind.NORM),
    )


def _module_kind(module: nn.Module, output: Tensor) -> tuple[Kind, str]:
    """What a module without submodules does, and the text in its box."""
    if isinstance(module, CONVS):
        if set(module.kernel_size) != {1}:
            return Kind.CONV, _kernel(module.kernel_size, module.stride, len(module.kernel_size))
        if output.shape[2:].numel() == 1:  # on averages, as in squeeze-and-excitation
            return Kind.LINEAR, "fc"
        return Kind.POINTWISE, _kernel(module.kernel_size, module.stride, len(module.kernel_size))
    if isinstance(module, nn.Linear):
        return Kind.LINEAR, "fc"
    if isinstance(module, POOL_MODULES):
        short = "max" if "Max" in type(module).__name__ else "avg"
        return Kind.POOL, f"{short} {_kernel(module.kernel_size, module.stride, output.dim() - 2)}"
    if isinstance(module, NORMS):
        return Kind.NORM, "LRN" if isinstance(module, LocalResponseNorm) else "BN"
    if isinstance(module, ACTIVATION_MODULES):
        return Kind.ACTIVATION, type(module).__name__
    if isinstance(module, nn.Dropout):
        return Kind.DROPOUT, "dropout"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(module).__name__.removesuffix("Shortcut"))
    return Kind.OTHER, words[0] + words[1:].lower() if " " in words else words


def _function(name: str, args: Any, sources: tuple[int, ...], out: Tensor) -> Node | None:
    """The node of one of torch's operations, None where a reader needs to see none."""
    shape = tuple(out.shape[1:])
    if name in POOLS and (shape != tuple(args[0].shape[1:]) or not name.startswith("_adaptive")):
        return Node(Kind.POOL, f"{POOLS[name]} {_pool_kernel(name, args)}".rstrip(), sources, shape)
    if name in ACTIVATIONS:
        return Node(Kind.ACTIVATION, ACTIVATIONS[name], sources, shape)
    if name in JOINS and len(sources) > 1:
        return Node(JOINS[name], "", sources, shape)
    return None


def _pool_kernel(name: str, args: Any) -> str:
    """As "3×3 /2"; of an adaptive pooling the size of its result, nothing where one number a map is left."""
    if "pool" not in name:
        return ""
    axes = int(name.partition("pool")[2][0])
    if name.startswith("_adaptive"):
        return "" if set(args[1]) == {1} else "to " + "×".join(map(str, args[1]))
    return _kernel(args[1], args[2] if len(args) > 2 and args[2] else args[1], axes)


def _kernel(kernel: Sequence[int] | int, stride: Sequence[int] | int, axes: int) -> str:
    """As "7×7 /2"."""
    sides, steps = per_axis(kernel, axes), per_axis(stride, axes)
    moves = "×".join(map(str, steps)) if len(set(steps)) > 1 else str(steps[0])
    return "×".join(map(str, sides)) + (f" /{moves}" if moves != "1" else "")


def _grown(nodes: list[Node]) -> list[Node]:
    """The same nodes, a concatenation of all that an earlier one joined and more being fed by that one.

    So a dense block, whose layers each read all maps before them, becomes a row of equal blocks.
    """
    joined: dict[tuple[int, ...], int] = {}
    grown = []
    for index, node in enumerate(nodes):
        inputs = node.inputs
        if node.kind is Kind.CONCAT:
            for length in range(len(inputs) - 1, 1, -1):
                if inputs[:length] in joined:
                    inputs = (joined[inputs[:length]], *inputs[length:])
                    break
            joined[node.inputs] = index
        grown.append(replace(node, inputs=inputs))
    return grown
