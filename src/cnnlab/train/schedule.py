"""The learning rate of any step, in closed form: nothing to save, so resuming needs only the step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cnnlab.recipes.recipe import (
    Constant,
    ConstantWarmup,
    Cosine,
    Exponential,
    Inverse,
    LinearWarmup,
    MultiStep,
    OneCycle,
    Pieces,
    Plateau,
    Polynomial,
    Schedule,
    Sigmoid,
    Step,
)

_DIGITS = 6  # a stretched run passes fractions of a step; a millionth of one is an error of rounding


def lr_factor(
    schedule: Schedule, step: float, total_steps: float, *, steps_per_epoch: float, val_errors: Sequence[float] = ()
) -> float:
    """What the optimizer's learning rate is multiplied by at `step`, the first being 0.

    Args:
        schedule: one of the recipe's schedules.
        step: in the recipe's own steps; a run that is stretched passes fractions of a step.
        total_steps: the recipe's own length in steps.
        steps_per_epoch: for schedules that count epochs.
        val_errors: validation error after each epoch so far, which only `Plateau` reads.
    """
    step = round(step, _DIGITS)
    epoch = round(step / steps_per_epoch, _DIGITS)
    match schedule:
        case Constant():
            return 1.0
        case Step():
            intervals = step / schedule.every_steps if schedule.every_steps else epoch / (schedule.every_epochs or 1)
            return math.pow(schedule.factor, math.floor(round(intervals, _DIGITS)))
        case MultiStep():
            passed = sum(at <= step for at in schedule.at_steps) + sum(at <= epoch for at in schedule.at_epochs)
            return math.pow(schedule.factor, passed)
        case Pieces():
            return (1.0, *schedule.factors)[sum(at <= epoch for at in schedule.at_epochs)]
        case Exponential():
            return math.pow(schedule.factor, step)
        case Inverse():
            return math.pow(1 + schedule.gamma * step, -schedule.power)
        case Polynomial():
            return math.pow(1 - min(step / total_steps, 1.0), schedule.power)
        case Sigmoid():
            # e^700 is the last that a float holds, nearly: beyond it the factor is 0 either way.
            return 1 / (1 + math.exp(min(700.0, -schedule.gamma * (step - schedule.at_step))))
        case Cosine():
            return _between(schedule.final_factor, 1.0, (1 + math.cos(math.pi * step / total_steps)) / 2)
        case OneCycle():
            return _one_cycle(schedule, step / total_steps)
        case Plateau():
            drops = plateau_drops(val_errors, schedule.patience_epochs)
            return math.pow(schedule.factor, min(drops, schedule.drops or drops))


def warmup_factor(warmup: LinearWarmup | ConstantWarmup, step: float, *, steps_per_epoch: float) -> float:
    """What the schedule's factor is multiplied by at `step` of the recipe's own; 1 once the warm-up is over."""
    if isinstance(warmup, ConstantWarmup):
        return warmup.factor if round(step, _DIGITS) < warmup.steps else 1.0
    length = warmup.steps or (warmup.epochs or 0) * steps_per_epoch
    return _between(warmup.start_factor, 1.0, min(1.0, step / length))


def _one_cycle(schedule: OneCycle, share: float) -> float:
    if share < schedule.peak_at:
        return _between(schedule.start_factor, 1.0, share / schedule.peak_at)
    if schedule.peak_at == 1:
        return 1.0
    return _between(1.0, schedule.final_factor, (share - schedule.peak_at) / (1 - schedule.peak_at))


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def plateau_drops(val_errors: Sequence[float], patience_epochs: int) -> int:
    """How often `patience_epochs` epochs in a row brought no lower error; each drop starts a new count."""
    drops, best, waited = 0, math.inf, 0
    for error in val_errors:
        if error < best:
            best, waited = error, 0
        else:
            waited += 1
        if waited == patience_epochs:
            drops, waited = drops + 1, 0
    return drops
