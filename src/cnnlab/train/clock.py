"""How far a training is: by its number of steps, or by a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cnnlab.recipes.recipe import Recipe, Resolution

MEASURED_STEPS = 4  # a deadline is planned from the pace of these; the first step warms up and is left out
PACE_MEMORY = 0.95  # of the running mean of a step's seconds


@dataclass(frozen=True)
class Phase:
    """A part of a training, up to the share `until`, and the `work` of a step in it: 1 for whole, full-size batches."""

    until: float
    work: float


@dataclass
class Clock:
    """The share of a training that is over, and what decides it.

    Without `budget_seconds`, the share is `step / total_steps`: the same on any machine. With it, each
    step moves the share on by what, at the measured pace, ends the training at the deadline: steps at
    a lower resolution are known to be cheaper by their number of pixels, those on a part of a batch by
    their number of images: that is what `phases` say. A training that fits its
    budget anyway is left at its own number of steps unless `stretch` asks to fill the time; one that started
    slowly never takes more steps than its own, however fast it becomes.
    """

    total_steps: int
    phases: tuple[Phase, ...] = (Phase(until=1.0, work=1.0),)
    budget_seconds: float | None = None
    stretch: bool = False
    step: int = 0
    share: float = 0.0
    used_seconds: float = 0.0
    unit_seconds: float = 0.0  # of a step of work 1, running mean
    by_deadline: bool = False

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self.share >= 1.0 - 1e-9

    def tick(self, step_seconds: float, reserve_seconds: float = 0.0, *, warms_up: bool = False) -> None:
        """Count one step that took `step_seconds`; `reserve_seconds` are kept for the final test.

        The pace is not measured by a step that `warms_up`.
        """
        self.used_seconds += step_seconds
        if not warms_up:
            self._measure(step_seconds / work_at(self.phases, self.share))
        self.step += 1
        if self.budget_seconds is None:
            self.share = self.step / self.total_steps
            return
        self._move_towards_deadline(self.budget_seconds - self.used_seconds - reserve_seconds)

    def spend(self, seconds: float) -> None:
        """Count time that no step took, such as a validation."""
        self.used_seconds += seconds

    def seconds_left(self) -> float:
        """How long the steps that are left will take at the pace so far."""
        if self.by_deadline and self.budget_seconds is not None:
            return max(0.0, self.budget_seconds - self.used_seconds)
        return self.unit_seconds * self.total_steps * work_left(self.phases, self.share)

    def _measure(self, unit_seconds: float) -> None:
        if self.step <= 1 or not self.unit_seconds:
            self.unit_seconds = unit_seconds
        else:
            self.unit_seconds = PACE_MEMORY * self.unit_seconds + (1 - PACE_MEMORY) * unit_seconds

    def _move_towards_deadline(self, left_seconds: float) -> None:
        work = work_left(self.phases, self.share)
        by_steps = 1 / self.total_steps
        needed = self.unit_seconds * work / max(left_seconds, 1e-9)
        if self.step > MEASURED_STEPS:
            self.by_deadline = self.stretch or needed > by_steps
        self.share = min(1.0, self.share + (needed if self.by_deadline else by_steps))
        if self.done or (self.by_deadline and left_seconds < self.unit_seconds / 2):
            self.share = 1.0


def pixels_at(resolutions: Sequence[Resolution], share: float, full_pixels: int) -> int:
    """The side of the images to train on when `share` of the training is over."""
    return next((each.pixels for each in resolutions if share < each.until), full_pixels)


def phases_of(recipe: Recipe, full_pixels: int) -> tuple[Phase, ...]:
    """The parts of a recipe's training that differ in the size of images, or in how many of a batch are trained on."""
    ends = {1.0, *(each.until for each in recipe.resolutions), *([recipe.hardest.until] if recipe.hardest else [])}
    found = []
    for start, end in pairwise((0.0, *sorted(ends))):
        area = (pixels_at(recipe.resolutions, start, full_pixels) / full_pixels) ** 2
        found.append(Phase(end, area * recipe.trained_images(start) / recipe.batch_size))
    return tuple(found)


def work_at(phases: Sequence[Phase], share: float) -> float:
    """The work of a step when `share` of the training is over."""
    return next((phase.work for phase in phases if share < phase.until), phases[-1].work)


def work_left(phases: Sequence[Phase], share: float) -> float:
    """The work integrated from `share` to the end, in trainings on whole batches of full-size images."""
    total, start = 0.0, share
    for phase in phases:
        total += max(0.0, phase.until - start) * phase.work
        start = max(start, phase.until)
    return total
