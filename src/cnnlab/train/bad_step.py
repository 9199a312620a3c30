"""Steps gone wild: a loss or a gradient that is no number, or that leaps, and what is done about it.

A bad step is caught before it changes anything: neither weights, nor an optimizer's memory, averages or running
statistics. Going back to an earlier checkpoint and past the batches after it is what Chowdhery et al. 2022
("PaLM", arXiv:2204.02311, section 5.1) did about spikes of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from cnnlab.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.train.step import StepResult

SPIKE_STEPS = 100  # good steps whose median a spike is measured by
FEWEST_STEPS = 20  # before there are so many, nothing is called a spike
MOST_IN_A_ROW = 10  # bad steps that are left out one after the other before the training stops


@dataclass(frozen=True)
class OnBadStep:
    """What to do about a bad step.

    `stop` ends the training; `skip` leaves the step's update out and goes on with the next batch; `rollback` also
    puts weights, optimizers and averages back to the newest checkpoint, `rollbacks` times at most. Both stop after
    ten bad steps in a row. With `spike`, above 1, a loss or a gradient norm above so many times the median of the
    last 100 good steps is bad as well, once there have been 20.
    """

    action: Literal["stop", "skip", "rollback"] = "stop"
    rollbacks: int = 0
    spike: float | None = None

    def __post_init__(self) -> None:
        """Refuse a factor that ordinary steps reach."""
        if self.spike is not None and not self.spike > 1:
            raise UsageError(f"--spike {self.spike:g} must be above 1: how many times the median is too much; try 5")


STOP = OnBadStep()


def parse_on_bad_step(text: str, spike: float | None = None) -> OnBadStep:
    """The rule that `stop`, `skip` or `rollback:K` means.

    Raises:
        UsageError: it is none of these.
    """
    action, colon, times = text.partition(":")
    if action == "rollback" and times.isdecimal() and int(times) > 0:
        return OnBadStep("rollback", int(times), spike)
    if action in ("stop", "skip") and not colon:
        return OnBadStep("stop" if action == "stop" else "skip", 0, spike)
    raise UsageError(
        f"--on-bad-step {text!r} is not known; accepted: stop, skip, or rollback:K, such as rollback:3, to go back "
        "to the newest checkpoint up to K times"
    )


Recent = Sequence[Sequence[float]]
"""(loss, gradient norm) of the last good steps, oldest first."""


def what_is_wrong(result: StepResult, recent: Recent, spike: float | None) -> str | None:
    """What is wrong with a step, in words; None where nothing is.

    Args:
        result: of the step, before its update.
        recent: of the good steps before it.
        spike: how many times their median is too much; None for no limit.
    """
    for name, loss in ((None, result.loss), *result.aux_losses.items()):
        if not math.isfinite(loss):
            return f"the loss{f' of the auxiliary head {name}' if name else ''} became {loss}"
    if not result.finite:
        return f"the norm of the gradient became {result.gradient_norm}"
    if spike is None or len(recent) < FEWEST_STEPS:
        return None
    for place, (name, value) in enumerate((("loss", result.loss), ("norm of the gradient", result.gradient_norm))):
        usual = max(median(each[place] for each in recent), 1e-30)
        if value is not None and value > spike * usual:
            return f"the {name} leapt to {value:.3g}, {value / usual:.1f} times the median of {len(recent)} steps"
    return None


def likely_cause(step: int, lr: float, *, finite_images: bool) -> str:
    """What a bad step at `step` probably comes from, and what to try."""
    if not finite_images:
        return "the batch itself holds values that are not finite; look at its images"
    if step == 0:
        return "it is the very first step, so the initialisation or the input scale is off"
    return f"the learning rate ({lr:g}) is probably too high; try --lr {lr / 10:g}"


def bad_in_a_row(bad_steps: Sequence[int]) -> int:
    """How many of the `bad_steps`, in ascending order, come one after the other at their end."""
    count = 0
    for step in reversed(bad_steps):
        if step != bad_steps[-1] - count:
            break
        count += 1
    return count
