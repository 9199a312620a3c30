"""What happens by depth during a training step: gradients, activations, updates, norms, shortcuts and gates.

`Flow` hooks itself into a network for the steps it samples and is gone in between, so that all other steps cost
nothing. What it returns are plain numbers. Activations are looked at on the first images of the batch only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.models.highway import Gate, LinearGate

EVERY_STEPS = 100  # how often a training is sampled
IMAGES = 32  # of the batch, for statistics of activations
SATURATED_SIGMOID = 0.02  # this close to 0 or 1 its slope is below 0.02, at most a twelfth of its steepest
SATURATED_TANH = 0.98  # beyond it the slope is below 0.04, a twenty-fifth of the steepest
TINY = 1e-38

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass(frozen=True)
class LayerFlow:
    """One convolution or linear layer in one step, in call order.

    `weight_norm` and `gradient_norm` are L2 norms before the update; `update_ratio` is the norm of the update over
    that of the weights. The rest describes what follows the layer: its `activation` ("relu", "tanh", …) or, where it
    has none of its own, its output. `variation` is the share of the root mean square that differs between images
    (0: all images look alike there). `dead` is the share of channels that are 0 for every image, of ReLU alone;
    `saturated` the share of values on the flat ends of a sigmoid or tanh.
    """

    name: str
    kind: str
    activation: str
    weight_norm: float
    gradient_norm: float
    update_ratio: float
    mean: float
    deviation: float
    variation: float
    dead: float
    saturated: float


@dataclass(frozen=True)
class NormFlow:
    """One batch normalisation: how far its running statistics are from those of the batch.

    `mean_drift` is in running standard deviations, averaged over channels; `deviation_ratio` is the batch's
    deviation over the running one (geometric mean over channels). `training` is its mode; `batches` says how many
    batches it has averaged.
    """

    name: str
    training: bool
    batches: int
    mean_drift: float
    deviation_ratio: float


@dataclass(frozen=True)
class BlockFlow:
    """One residual block: root mean square of what its shortcut and its branch bring to the sum."""

    name: str
    shortcut: float
    branch: float


@dataclass(frozen=True)
class GateFlow:
    """One highway gate: its mean, 0 where everything is carried past and 1 where everything is transformed."""

    name: str
    openness: float


@dataclass(frozen=True)
class StepFlow:
    """Everything seen in one step; `image_mean` and `image_deviation` are of the network's input."""

    step: int
    image_mean: float
    image_deviation: float
    layers: tuple[LayerFlow, ...]
    norms: tuple[NormFlow, ...] = ()
    blocks: tuple[BlockFlow, ...] = ()
    gates: tuple[GateFlow, ...] = ()

    @property
    def without_gates(self) -> tuple[LayerFlow, ...]:
        """The layers that are no highway gates: the main path by depth."""
        gates = {each.name for each in self.gates}
        return tuple(each for each in self.layers if each.name not in gates)


def to_dict(flow: StepFlow) -> dict[str, Any]:
    """The record as plain JSON values."""
    return asdict(flow)


def from_dict(values: Mapping[str, Any]) -> StepFlow:
    """The record that `to_dict` wrote; raises pydantic's ValidationError for anything else."""
    return TypeAdapter(StepFlow).validate_python(values)


class Flow:
    """Samples a training: `before_step` and `after_step` around each step, on the thread that runs it.

    Give the network itself: hooks do not run inside `torch.compile`, so a sampled step has to call the network
    uncompiled (see `samples`). Leaves weights, gradients, buffers and random numbers as they are.
    """

    def __init__(self, network: nn.Module, *, every: int = EVERY_STEPS) -> None:
        self.network, self.every = network, every
        self._sample: _Sample | None = None

    def samples(self, step: int) -> bool:
        """Whether `step` is one to look at: the first, and every `every`-th."""
        return step % self.every == 0

    def before_step(self, step: int) -> None:
        """Begin to watch, if `step` is one to look at."""
        self.close()
        if self.samples(step):
            self._sample = _Sample(self.network)

    def after_step(self, step: int, *, gradient_scale: float = 1.0) -> StepFlow | None:
        """What was seen since `before_step`, None where the step was not sampled or nothing was run.

        `gradient_scale` is what a gradient scaler multiplied the loss by. Waits for a GPU once.
        """
        sample = self._sample
        self.close()
        return sample.record(step, gradient_scale) if sample is not None else None

    def close(self) -> None:
        """Stop watching; also right after a step that failed."""
        if self._sample is not None:
            self._sample.remove()
        self._sample = None


# -- one sampled step ------------------------------------------------------------------------------------------


class _Sample:
    """The hooks of one step, and what they have seen as small tensors, still on the device."""

    def __init__(self, network: nn.Module) -> None:
        self.weighted = {name: module for name, module in network.named_modules() if has_weight(module)}
        self.before = {name: _weight(module).detach().clone() for name, module in self.weighted.items()}
        self.order: dict[str, str] = {}  # names in call order: kind of the activation that followed
        self.seen: dict[tuple[str, str], Tensor] = {}  # (what, name): numbers
        self.norms: dict[str, Norm] = {}
        self.training: dict[str, bool] = {}
        self.current = ""
        self.handles = list(self._hooks(network))
        self.mode = _Activations(self._activated)
        self.mode.__enter__()  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Take all hooks away."""
        self.mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        for handle in self.handles:
            handle.remove()

    def _hooks(self, network: nn.Module) -> Iterator[Any]:
        yield network.register_forward_pre_hook(lambda _, inputs: self._keep("images", "", _moments(inputs[0])))
        for name, module in network.named_modules():
            if name in self.weighted:
                yield module.register_forward_hook(self._on_layer(name))
                weight: Any = _weight(module)
                yield weight.register_post_accumulate_grad_hook(self._on_gradient(name))
            if isinstance(module, Norm) and module.running_mean is not None:
                yield module.register_forward_pre_hook(self._on_norm(name, module))
            if is_residual(module):
                yield from self._block_hooks(name, module)

    def _block_hooks(self, name: str, block: nn.Module) -> Iterator[Any]:
        """The last part of a block that runs is the branch's end; the shortcut is `downsample` or the input."""
        yield block.register_forward_pre_hook(lambda _, inputs: self._keep("shortcut", name, _size(inputs[0])))
        for child, module in block.named_children():
            what = "shortcut" if child == "downsample" else "branch"
            yield module.register_forward_hook(lambda _, __, output, what=what: self._keep(what, name, _size(output)))

    def _on_layer(self, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, _: Any, output: Tensor) -> None:
            self.order[name] = ""
            self._keep("layer", name, activation_statistics(output, ""))
            if "downsample" not in name:  # what comes after the sum belongs to the branch
                self.current = name

        return hook

    def _activated(self, kind: str, output: Tensor) -> None:
        name, self.current = self.current, ""
        if not name:
            return
        self.order[name] = kind
        self._keep("layer", name, activation_statistics(output, kind))

    def _on_gradient(self, name: str) -> Callable[[Tensor], None]:
        def hook(weight: Tensor) -> None:
            assert weight.grad is not None
            self._keep("gradient", name, weight.grad.float().norm()[None])

        return hook

    def _on_norm(self, name: str, norm: Norm) -> Callable[[nn.Module, Any], None]:
        def hook(_: nn.Module, inputs: Any) -> None:
            self.norms[name], self.training[name] = norm, norm.training
            self._keep("norm", name, norm_drift(norm, inputs[0]))

        return hook

    @torch.no_grad()
    def _keep(self, what: str, name: str, numbers: Tensor) -> None:
        self.seen[what, name] = numbers.detach()

    @torch.no_grad()
    def record(self, step: int, gradient_scale: float) -> StepFlow | None:
        """The numbers brought from the device at once."""
        if ("images", "") not in self.seen:
            return None
        for name in self.order:
            before, after = self.before[name].float(), _weight(self.weighted[name]).detach().float()
            norm = before.norm()
            self._keep("weight", name, torch.stack((norm, (after - before).norm() / norm.clamp_min(TINY))))
        sizes = [len(each) for each in self.seen.values()]
        flat = torch.cat([each.double() for each in self.seen.values()]).cpu()
        told = dict(zip(self.seen, (each.tolist() for each in torch.split(flat, sizes)), strict=True))
        return StepFlow(
            step=step,
            image_mean=told["images", ""][0],
            image_deviation=told["images", ""][1],
            layers=tuple(self._layer(name, told, gradient_scale) for name in self.order),
            norms=tuple(self._norm(name, told["norm", name]) for name in self.norms),
            blocks=tuple(
                BlockFlow(name, told["shortcut", name][0], told["branch", name][0])
                for what, name in told
                if what == "branch" and ("shortcut", name) in told
            ),
            gates=tuple(
                GateFlow(name, told["layer", name][0])
                for name in self.order
                if isinstance(self.weighted[name], Gate | LinearGate)
            ),
        )

    def _layer(self, name: str, told: Mapping[tuple[str, str], list[float]], gradient_scale: float) -> LayerFlow:
        weight_norm, update_ratio = told["weight", name]
        gradient_norm = told.get(("gradient", name), [0.0])[0] / gradient_scale
        kind = type(self.weighted[name]).__name__
        return LayerFlow(name, kind, self.order[name], weight_norm, gradient_norm, update_ratio, *told["layer", name])

    def _norm(self, name: str, numbers: list[float]) -> NormFlow:
        mean_drift, deviation_ratio, batches = numbers
        return NormFlow(name, self.training[name], int(batches), mean_drift, deviation_ratio)


class _Activations(TorchFunctionMode):
    """Tells of every activation function that runs, whether a module or a forward calls it."""

    def __init__(self, tell: Callable[[str, Tensor], None]) -> None:
        super().__init__()
        self.tell = tell

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = ACTIVATIONS.get(func)
        if kind is not None:
            self.tell(kind, result)
        return result


ACTIVATIONS: dict[Any, str] = {
    F.relu: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    Tensor.relu: "relu",
    Tensor.relu_: "relu",
    torch.sigmoid: "sigmoid",
    Tensor.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    Tensor.tanh: "tanh",
    F.silu: "silu",
    F.gelu: "gelu",
    F.elu: "elu",
    F.leaky_relu: "leaky relu",
}


# -- numbers of one tensor -------------------------------------------------------------------------------------


@torch.no_grad()
def activation_statistics(values: Tensor, kind: str) -> Tensor:
    """Mean, deviation, variation between images, dead and saturated shares, (5,) float32, of values (N, C, …).

    `kind` is the activation that made them, empty for none. With one image there is no variation to see: 1.
    """
    values = values[:IMAGES].float()
    mean, square = values.mean(), values.square().mean()
    zero, one = values.new_zeros(()), values.new_ones(())
    between = values.var(dim=0, unbiased=False).mean() if len(values) > 1 else square
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    variation = torch.where(square > 0, (between / square.clamp_min(TINY)).sqrt(), one if len(values) < 2 else zero)
    dead = (values.transpose(0, 1).flatten(1).amax(dim=1) <= 0).float().mean() if kind == "relu" else zero
    saturated = zero
    if kind == "sigmoid":
        saturated = ((values - 0.5).abs() > 0.5 - SATURATED_SIGMOID).float().mean()
    if kind == "tanh":
        saturated = (values.abs() > SATURATED_TANH).float().mean()
    return torch.stack((mean, deviation, variation, dead, saturated))


@torch.no_grad()
def norm_drift(norm: Norm, values: Tensor) -> Tensor:
    """Mean drift, deviation ratio and batches averaged, (3,), of a norm before it takes values (N, C, …)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    channels = values[:IMAGES].float().transpose(0, 1).flatten(1)
    mean, variance = channels.mean(dim=1), channels.var(dim=1, unbiased=False)
    running = norm.running_var + norm.eps
    drift = ((mean - norm.running_mean).abs() / running.sqrt()).mean()
    ratio = (0.5 * ((variance + norm.eps) / running).log().mean()).exp()
    batches = norm.num_batches_tracked if norm.num_batches_tracked is not None else torch.zeros((), device=mean.device)
    return torch.stack((drift, ratio, batches.to(drift.dtype)))


@torch.no_grad()
def _moments(values: Tensor) -> Tensor:
    values = values.float()
    return torch.stack((values.mean(), values.std(unbiased=False)))


@torch.no_grad()
def _size(values: Tensor) -> Tensor:
    return values[:IMAGES].float().square().mean().sqrt()[None]


# -- what is what ----------------------------------------------------------------------------------------------


def has_weight(module: nn.Module) -> bool:
    """Whether a module is a layer with filters or a matrix of its own that is trained."""
    weight = module._parameters.get("weight")
    return weight is not None and weight.ndim >= 2 and weight.requires_grad


def is_residual(module: nn.Module) -> bool:
    """Whether a module is a block that adds a shortcut: one with a `downsample`, None for the identity."""
    plain = getattr(module, "plain", False) or not getattr(module, "residual", True)
    return hasattr(module, "downsample") and not plain


def _weight(module: nn.Module) -> nn.Parameter:
    weight = module._parameters["weight"]
    assert weight is not None
    return weight
