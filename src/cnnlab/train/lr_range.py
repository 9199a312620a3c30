"""The learning-rate range test: the rate rises over a few steps, and the loss says where it is too high.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3, with a rate that rises exponentially
in place of linearly and with the choice made from the loss, as is usual since Gugger 2018, "How do you find a good
learning rate".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import mean, median

import torch

from cnnlab.errors import UsageError
from cnnlab.recipes.recipe import Muon, Recipe
from cnnlab.train.build import step_seed
from cnnlab.train.loop import Training
from cnnlab.train.optim import set_lr

STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
BELOW = 10.0  # the rate chosen is this much lower than where the loss is lowest (Gugger 2018)
BLOWN_UP = 4.0  # times the lowest loss, where the test ends (Gugger 2018)
SMOOTHED = 4  # steps on each side that a smoothed loss is the mean of
START_SHARE = 0.2  # of the steps, whose rates are too low to change anything: their mean is the loss to begin with
LEAST_FALL = 0.02  # of the first loss; where it falls less, nothing was learned
LEAST_NOISES = 1.5  # deviations of a step's loss that it must fall as well; of the two means compared, nearly 4


@dataclass(frozen=True)
class LrRange:
    """A finished test: the rate and loss of each step, the losses smoothed, and the rate chosen."""

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lr: float

    @property
    def said(self) -> str:
        """The choice and its reason, in a sentence."""
        best = min(self.smoothed)
        lowest = self.lrs[self.smoothed.index(best)]
        return (
            f"learning rate: {self.lr:.2g}, {BELOW:g} times below the rate at which the loss was lowest ({best:.3g} at "
            f"{lowest:.2g}) in {len(self.lrs)} steps from {self.lrs[0]:.2g} to {self.lrs[-1]:.2g}"
        )


def find_lr(training: Training, *, lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS) -> LrRange:
    """Test learning rates on a training that has not begun and is not used after.

    A function of its seed alone. All parameter groups rise together, each by its own multiplier.

    Args:
        training: gives the network, the batches and the rule; its weights are spent.
        lowest: the rate of the first step, in the recipe's optimizer.
        highest: that of the last.
        steps: how many, at most; the test ends where the loss blows up.

    Raises:
        UsageError: no rate lowers the loss, or the rates and steps make no range.
    """
    if not 0 < lowest < highest or steps < 2 * SMOOTHED:
        raise UsageError(
            f"a range test from {lowest:g} to {highest:g} in {steps} steps; give a lower rate above 0, a higher one, "
            f"and at least {2 * SMOOTHED} steps"
        )
    ratio = (highest / lowest) ** (1 / (steps - 1))
    lrs: list[float] = []
    losses: list[float] = []
    for step, lr in enumerate(lowest * ratio**step for step in range(steps)):
        loss = _step(training, step, lr)
        if not math.isfinite(loss) or loss > BLOWN_UP * min([*losses, loss]):
            break
        lrs.append(lr)
        losses.append(loss)
    smoothed = tuple(smooth(losses))
    chosen = choose_lr(lrs, smoothed, first=_first(losses, steps), noise=noise(losses))
    return LrRange(tuple(lrs), tuple(losses), smoothed, chosen)


def _step(training: Training, step: int, lr: float) -> float:
    """One training step at `lr`, as the loop takes it but for its schedule; returns the loss."""
    torch.manual_seed(step_seed(training.seed, step))
    set_lr(training.optimizers, lr / training.recipe.optimizer.lr)
    batch = training.batches.batch(*divmod(step, training.batches.steps_per_epoch))
    training.hold_frozen()
    result = training.train_step(training.plain_forward, batch.images, batch.labels)
    return result.loss if result.finite else math.inf


def smooth(losses: Sequence[float]) -> Iterator[float]:
    """Each loss as the mean of itself and its neighbours, `SMOOTHED` on each side where there are so many."""
    for place in range(len(losses)):
        yield mean(losses[max(0, place - SMOOTHED) : place + SMOOTHED + 1])


def _first(losses: Sequence[float], steps: int) -> float:
    return mean(losses[: max(1, round(START_SHARE * steps))] or [math.inf])


def noise(losses: Sequence[float]) -> float:
    """The deviation of a loss from batch to batch, by the median step between two; a few large ones do not count."""
    steps = [abs(after - before) for before, after in pairwise(losses)]
    return median(steps) / (0.6745 * math.sqrt(2)) if steps else 0.0  # of normal numbers


def choose_lr(lrs: Sequence[float], smoothed: Sequence[float], *, first: float, noise: float = 0.0) -> float:
    """The rate `BELOW` times lower than the one with the lowest smoothed loss, to two digits.

    Raises:
        UsageError: that loss is not lower than `first`, the loss before any learning, by the share `LEAST_FALL` of it
            and by `LEAST_NOISES` times `noise`, the deviation of a single step's loss.
    """
    best = min(smoothed, default=math.inf)
    if not best < first - max(LEAST_FALL * first, LEAST_NOISES * noise):
        tried = f"from {lrs[0]:.2g} to {lrs[-1]:.2g}" if lrs else "at all"
        raise UsageError(
            f"no learning rate {tried} lowers the loss, which begins at {first:.3g} and is {best:.3g} at its lowest; "
            "give one with --lr, and look for what is wrong with: cnnlab diagnose MODEL DATA"
        )
    return float(f"{lrs[smoothed.index(best)] / BELOW:.1e}")


def with_lr(recipe: Recipe, lr: float) -> Recipe:
    """The recipe at another learning rate; Muon's other optimizers change in proportion, as the test had them."""
    optimizer = recipe.optimizer
    if not isinstance(optimizer, Muon):
        return replace(recipe, optimizer=replace(optimizer, lr=lr))
    times = lr / optimizer.lr
    rest = replace(optimizer.rest, lr=optimizer.rest.lr * times)
    linear = replace(optimizer.linear, lr=optimizer.linear.lr * times) if optimizer.linear else None
    return replace(recipe, optimizer=replace(optimizer, lr=lr, rest=rest, linear=linear))
