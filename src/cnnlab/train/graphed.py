"""A training step that the host begins and does not wait for; on a GPU its hundreds of kernels are launched as one.

Forward, backward, the check for numbers gone wild, clipping, update and averages are captured once for each shape of
batch as a CUDA graph and replayed. What changes from step to step lies on the device: images, labels, learning rates,
the share of the average. Nothing is asked of the device meanwhile: what a step tells is read some steps later. A step
whose loss or gradient is no number undoes itself all the same, on the device, and with it all that come after it until
the host has read of it; so the training is then where the bad step left it, as without graphs.

Anywhere but on a GPU the same function runs as it is, which is how it is tested.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.models.layers import Network
from cnnlab.models.precision import Precision
from cnnlab.models.stochastic_depth import leaves_out_blocks
from cnnlab.recipes.recipe import Recipe, RmsProp
from cnnlab.train.average import update_average_on_device
from cnnlab.train.bad_step import OnBadStep
from cnnlab.train.clip import clip_gradients
from cnnlab.train.flat import Flat
from cnnlab.train.optim import in_use, put_rates_on
from cnnlab.train.step import Forward, Numbers, Rule, StepResult, backward, clear_gradients, gradient_norm

AHEAD_STEPS = 4  # that may be begun before the first of them is read: enough to hide a slow moment of the host

Update = Callable[[Tensor, Tensor], Numbers]


def why_not(
    recipe: Recipe, network: nn.Module, precision: Precision, on_bad_step: OnBadStep, processes: int
) -> str | None:
    """What of a training decides on the host in the middle of a step, so that it cannot be begun and left; or None."""
    reasons = (
        (processes > 1, "several processes agree on every step"),
        (precision.half is torch.float16, "the gradient scaler of precision fp16 decides on the host"),
        (on_bad_step.spike is not None, "--spike compares each loss on the host before the update"),
        (isinstance(recipe.optimizer, RmsProp), "RMSProp's rate is part of its update"),
        (leaves_out_blocks(network), "stochastic depth draws on the host which blocks there are"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def use_graphs(wanted: bool | None, device: torch.device, refused: str | None) -> bool:
    """Whether steps are begun and left; None stands for where that pays, a GPU, and can be.

    Raises:
        UsageError: they are wanted, and `refused` says why they cannot be.
    """
    if wanted and refused is not None:
        raise UsageError(f"--graphs cannot be: {refused}; leave it out, and steps are taken one by one")
    return wanted if wanted is not None else device.type == "cuda" and refused is None


@dataclass(frozen=True)
class Reading:
    """What a step tells, on its way from the device; `arrived` is None where it is there at once."""

    numbers: Numbers
    arrived: torch.cuda.Event | None = None

    @classmethod
    def of(cls, numbers: Numbers) -> Reading:
        """Send a step's numbers to the host, without waiting."""
        if not numbers.values.is_cuda:
            return cls(numbers)
        values = torch.empty(numbers.values.shape, pin_memory=True).copy_(numbers.values, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return cls(replace(numbers, values=values), arrived)

    def result(self) -> StepResult:
        """The step's result; waits until the device has come to it."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.numbers.read()


class GraphedStep:
    """The update of a training, begun without waiting; made anew for each `key`, which stands for a shape of batch."""

    def __init__(
        self,
        network: Network,
        forward: Forward,
        optimizers: Sequence[torch.optim.Optimizer],
        scaler: torch.amp.GradScaler,
        rule: Rule,
        average: nn.Module | None,
        device: torch.device,
    ) -> None:
        """Hold what changes from step to step on `device`, the learning rates of `optimizers` among it."""
        self._network, self._forward, self._rule, self._average = network, forward, rule, average
        self._optimizers, self._scaler, self._device = optimizers, scaler, device
        put_rates_on(optimizers, device)
        self._halted = torch.zeros((), dtype=torch.bool, device=device)
        self._share = torch.zeros((), device=device)
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # shapes stay as they are: worth trying which kernels are fastest
        self._updates: dict[Hashable, Update] = {}

    def knows(self, key: Hashable) -> bool:
        """Whether `begin` can be called for batches of this shape."""
        return key in self._updates

    def prepare(self, key: Hashable, images: Tensor, labels: Tensor) -> None:
        """Get ready for batches like this one, of which one step has been taken: it has made all memory there is.

        Raises:
            RuntimeError: on a GPU, where something in the step cannot be captured; nothing has changed.
        """
        self._updates[key] = self._update if self._pool is None else self._capture(images, labels)

    def begin(self, key: Hashable, images: Tensor, labels: Tensor, share: float) -> Reading:
        """Begin an update on images (N, C, H, W) and labels; the newest weights become `share` of the average."""
        self._share.fill_(share)
        return Reading.of(self._updates[key](images, labels))

    def go_on(self) -> None:
        """Let steps count again after a bad one."""
        self._halted.zero_()

    def forget(self) -> None:
        """Make everything anew: the optimizers' memory lies elsewhere now."""
        self._updates.clear()

    def _update(self, images: Tensor, labels: Tensor) -> Numbers:
        """The step itself; nothing in it waits for the device, and a bad one leaves nothing behind."""
        optimizers = in_use(self._optimizers)
        kept = Flat([*self._network.buffers(), *_changed_by(optimizers)])
        before = kept.gather()
        losses = backward(self._forward, images, labels, self._scaler, self._rule)
        numbers = Numbers.of(losses, gradient_norm(self._network))
        good = torch.isfinite(numbers.values).all() & ~self._halted
        if self._rule.clip is not None:
            clip_gradients(self._rule.clip, self._network, cast(nn.Module, self._network.classifier))
        for optimizer in optimizers:
            optimizer.step()
        clear_gradients(optimizers)
        kept.keep_where(good, before)
        if self._average is not None:
            update_average_on_device(self._average, self._network, self._share * good)
        self._halted.logical_or_(~good)
        return numbers

    def _capture(self, images: Tensor, labels: Tensor) -> Update:
        given, given_labels = images.clone(), labels.clone()
        graph = torch.cuda.CUDAGraph()
        with _capturable(self._optimizers), torch.cuda.graph(graph, self._pool, capture_error_mode="thread_local"):
            numbers = self._update(given, given_labels)

        def replay(images: Tensor, labels: Tensor) -> Numbers:
            given.copy_(images)
            given_labels.copy_(labels)
            graph.replay()
            return numbers

        return replay


def _changed_by(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[Tensor]:
    """The weights and the memory of optimizers that have taken a step."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                yield parameter
                yield from (each for each in optimizer.state.get(parameter, {}).values() if isinstance(each, Tensor))


@contextlib.contextmanager
def _capturable(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Tell those of torch's optimizers that ask, which warn of it at any other time, that they are captured."""
    groups = [group for each in optimizers for group in each.param_groups if "capturable" in group]
    try:
        for group in groups:
            group["capturable"] = True
        yield
    finally:
        for group in groups:
            group["capturable"] = False
