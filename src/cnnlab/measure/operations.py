"""Where the time of a training step goes: every operation of a forward and backward pass, timed.

A forward pass is watched where torch's functions are called (`TorchFunctionMode`), and each function's own nodes of
the autograd graph are timed as the backward pass runs them. So additions and concatenations that a forward writes
without a module have rows too, and all rows together are the pass. Two passes are interleaved, one watched, one not:
the second gives the time of the whole that the rows are held against.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from cnnlab.measure.machine import wait_for

Stamp = Callable[[], Any]
"""Marks a moment; a difference of two moments is read once the device is done."""


@dataclass(frozen=True)
class Operation:
    """One call of a torch function in a forward pass of a batch, with its part of the backward pass.

    `module` is the dotted name of the innermost module it ran in, empty for the network's own forward. Seconds are
    medians over the rounds; MACs count multiply-accumulates of the whole batch. Bytes are what must be read and written
    at least, each tensor once: inputs, parameters and result, and for the backward pass the gradients of those too.
    `kept_bytes` are newly kept for the backward pass.
    """

    module: str
    function: str
    forward_seconds: float
    backward_seconds: float
    forward_macs: int
    backward_macs: int
    forward_bytes: int
    backward_bytes: int
    kept_bytes: int


@dataclass(frozen=True)
class Timing:
    """A training pass of a batch: its operations in call order, and the time of the whole, unwatched.

    `covered` is the sum of all operations' times over the time of the watched pass they were part of.
    """

    operations: tuple[Operation, ...]
    forward_seconds: float
    backward_seconds: float
    covered: float
    batch_size: int

    @property
    def kept_bytes(self) -> int:
        """What a training step keeps for the backward pass, besides parameters."""
        return sum(each.kept_bytes for each in self.operations)


def time_operations(network: nn.Module, images: Tensor, *, rounds: int = 5) -> Timing:
    """Time each operation of a training pass of `network`, in training mode, on images (N, C, H, W).

    The gradients of parameters are left empty; running statistics of batch normalisation move.
    """
    network.train()
    gradient = torch.randn_like(network(images)) / len(images)
    counted, _ = _watched_pass(network, images, gradient, count=True)
    watched, covered, whole = [], [], []
    for _ in range(rounds):
        whole.append(_plain_pass(network, images, gradient))
        calls, seconds = _watched_pass(network, images, gradient, count=False)
        watched.append(calls)
        covered.append(sum(each.forward_seconds + each.backward_seconds for each in calls) / seconds)
    return Timing(
        operations=tuple(_operation(first, times) for first, *times in zip(counted, *watched, strict=True)),
        forward_seconds=statistics.median(forward for forward, _ in whole),
        backward_seconds=statistics.median(backward for _, backward in whole),
        covered=statistics.median(covered),
        batch_size=len(images),
    )


@dataclass
class _Call:
    """One call as it is watched: moments of its start and end, and of those of its nodes in the backward pass."""

    module: str
    function: str
    forward: tuple[Any, Any]
    backward: list[list[Any]] = field(default_factory=list)
    macs: int = 0
    gradients: int = 0  # of a product's two factors, those that need a gradient
    moved_bytes: int = 0
    gradient_bytes: int = 0
    kept_bytes: int = 0

    @property
    def forward_seconds(self) -> float:
        """Once the device is done."""
        return _seconds(*self.forward)

    @property
    def backward_seconds(self) -> float:
        """Of all its nodes that ran, once the device is done."""
        return sum(_seconds(*node) for node in self.backward if node)


class _Watcher(TorchFunctionMode):
    """Notes each torch function that returns a tensor, and has its nodes of the autograd graph say when they run."""

    def __init__(self, stamp: Stamp, parameters: Iterable[Tensor], *, count: bool) -> None:
        super().__init__()
        self.stamp, self.count = stamp, count
        self.calls: list[_Call] = []
        self.modules = [""]
        self.nodes: set[Any] = set()  # held, so that each keeps its identity
        self.handles: list[Any] = []
        self.known = {each.untyped_storage().data_ptr() for each in parameters}  # storages not to count as kept
        self.kept_bytes = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.count:
            return self._counted(func, args, kwargs)
        started = self.stamp()
        out = func(*args, **kwargs)
        self._note(func, started, out)
        return out

    def _counted(self, func: Any, args: Any, kwargs: Any) -> Any:
        kept_before = self.kept_bytes
        with FlopCounterMode(display=False) as counter:
            out = func(*args, **kwargs)
        call = self._note(func, None, out)
        if call is not None:
            inputs, results = _tensors((args, kwargs)), _tensors(out)
            call.macs = counter.get_total_flops() // 2
            call.gradients = sum(each.requires_grad for each in inputs[:2])
            call.kept_bytes = self.kept_bytes - kept_before
            if not all(_is_view(each, inputs) for each in results):
                call.moved_bytes = sum(each.nbytes for each in (*inputs, *results))
                call.gradient_bytes = sum(each.nbytes for each in inputs if each.requires_grad)
        return out

    def _note(self, func: Any, started: Any, out: Any) -> _Call | None:
        results = _tensors(out)
        if not results:  # a shape, say
            return None
        call = _Call(self.modules[-1], func.__name__.strip("_"), (started, self.stamp()))
        self.calls.append(call)
        waiting = [each.grad_fn for each in results]
        while waiting:  # its nodes: from the result back to those of earlier calls
            node = waiting.pop()
            if node is not None and node not in self.nodes:
                self.nodes.add(node)
                self._time_node(node, call)
                waiting += [earlier for earlier, _ in node.next_functions]
        return call

    def _time_node(self, node: Any, call: _Call) -> None:
        moments: list[Any] = []
        call.backward.append(moments)
        self.handles.append(node.register_prehook(lambda *_: moments.append(self.stamp())))
        self.handles.append(node.register_hook(lambda *_: moments.append(self.stamp())))

    def forget_nodes(self) -> None:
        """Let the nodes go: those of parameters outlive a backward pass, and would be timed again in the next."""
        for handle in self.handles:
            handle.remove()
        self.nodes.clear()

    def keep(self, tensor: Tensor) -> Tensor:
        """Count what autograd keeps for the backward pass, each storage once."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.known:
            self.known.add(storage.data_ptr())
            self.kept_bytes += storage.nbytes()
        return tensor

    @contextmanager
    def following(self, network: nn.Module) -> Iterator[None]:
        """Know which module of `network` runs."""

        def enter(name: str) -> Callable[..., None]:
            return lambda *_: self.modules.append(name)

        def leave(*_: object) -> None:
            self.modules.pop()

        handles = []
        for name, module in network.named_modules():
            handles += [module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _watched_pass(network: nn.Module, images: Tensor, gradient: Tensor, *, count: bool) -> tuple[list[_Call], float]:
    """The calls, and the seconds of the whole pass."""
    watcher = _Watcher(_stamp(images.device), network.parameters(), count=count)
    keep = saved_tensors_hooks(watcher.keep, lambda tensor: tensor) if count else nullcontext()
    with watcher.following(network):
        started = time.perf_counter()
        with watcher, keep:
            logits = network(images)
        logits.backward(gradient)
        wait_for(images.device)
        seconds = time.perf_counter() - started
    watcher.forget_nodes()
    _clear(network)
    return watcher.calls, seconds


def _plain_pass(network: nn.Module, images: Tensor, gradient: Tensor) -> tuple[float, float]:
    """Seconds of the forward and of the backward pass."""
    started = time.perf_counter()
    logits = network(images)
    wait_for(images.device)
    half = time.perf_counter()
    logits.backward(gradient)
    wait_for(images.device)
    ended = time.perf_counter()
    _clear(network)
    return half - started, ended - half


def _clear(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.grad = None


def _operation(counted: _Call, times: Sequence[_Call]) -> Operation:
    return Operation(
        module=counted.module,
        function=counted.function,
        forward_seconds=statistics.median(each.forward_seconds for each in times),
        backward_seconds=statistics.median(each.backward_seconds for each in times),
        forward_macs=counted.macs,
        backward_macs=counted.macs * counted.gradients,
        forward_bytes=counted.moved_bytes,
        backward_bytes=counted.moved_bytes + counted.gradient_bytes if counted.backward else 0,
        kept_bytes=counted.kept_bytes,
    )


def _tensors(values: Any) -> list[Tensor]:
    """The tensors among arguments or results, each once, in order."""
    found = [each for each in tree_leaves(values) if isinstance(each, Tensor)]
    return list({id(each): each for each in found}.values())


def _is_view(result: Tensor, inputs: Sequence[Tensor]) -> bool:
    """Whether `result` only looks anew at an input, which moves nothing; an input changed in place is not a view."""
    storage = result.untyped_storage().data_ptr()
    return all(result is not each for each in inputs) and any(
        storage == each.untyped_storage().data_ptr() for each in inputs
    )


def _stamp(device: torch.device) -> Stamp:
    """Moments of the clock; of a GPU's own, which does not wait."""
    return _gpu_moment if device.type == "cuda" else time.perf_counter


def _gpu_moment() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def _seconds(start: Any, end: Any) -> float:
    seconds: float = start.elapsed_time(end) / 1000 if isinstance(start, torch.cuda.Event) else end - start
    return seconds
