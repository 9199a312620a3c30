"""The learning rate of any step, in closed form: nothing to save, so resuming needs only the step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cnnlab.recipes.recipe import Constant, Cosine, MultiStep, OneCycle, Schedule, Step


def lr_factor(schedule: Schedule, step: float, total_steps: float, val_errors: Sequence[float] = ()) -> float:
    """What the optimizer's learning rate is multiplied by at `step`, the first being 0.

    Args:
        schedule: one of the recipe's schedules.
        step: in the recipe's own steps; a run that is stretched passes fractions of a step.
        total_steps: the recipe's own length in steps.
        val_errors: validation error after each epoch so far, which only `Plateau` reads.
    """
    if isinstance(schedule, Constant):
        return 1.0
    if isinstance(schedule, Step):
        return schedule.factor ** math.floor(step / schedule.every_steps)
    if isinstance(schedule, MultiStep):
        return schedule.factor ** sum(at <= step for at in schedule.at_steps)
    if isinstance(schedule, Cosine):
        return _between(schedule.final_factor, 1.0, (1 + math.cos(math.pi * step / total_steps)) / 2)
    if isinstance(schedule, OneCycle):
        return _one_cycle(schedule, step / total_steps)
    return schedule.factor ** plateau_drops(val_errors, schedule.patience_epochs)


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
