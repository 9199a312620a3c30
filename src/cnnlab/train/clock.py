"""How far a training is: by its number of steps, or by a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnlab.recipes.recipe import Resolution

MEASURED_STEPS = 4  # a deadline is planned from the pace of these; the first step warms up and is left out
PACE_MEMORY = 0.95  # of the running mean of a step's seconds


@dataclass
class Clock:
    """The share of a training that is over, and what decides it.

    Without `budget_seconds`, the share is `step / total_steps`: the same on any machine. With it, each
    step moves the share on by what, at the measured pace, ends the training at the deadline: steps at
    a lower resolution are known to be cheaper by their number of pixels. A training that fits its
    budget anyway is left at its own number of steps unless `stretch` asks to fill the time; one that started
    slowly never takes more steps than its own, however fast it becomes.
    """

    total_steps: int
    resolutions: tuple[Resolution, ...] = ()
    budget_seconds: float | None = None
    stretch: bool = False
    step: int = 0
    share: float = 0.0
    used_seconds: float = 0.0
    unit_seconds: float = 0.0  # of one step at full resolution, running mean
    by_deadline: bool = False

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self.share >= 1.0 - 1e-9

    def tick(
        self, step_seconds: float, full_pixels: int, reserve_seconds: float = 0.0, *, warms_up: bool = False
    ) -> None:
        """Count one step that took `step_seconds`; `reserve_seconds` are kept for the final test.

        The pace is not measured by a step that `warms_up`.
        """
        self.used_seconds += step_seconds
        area = relative_area(self.resolutions, self.share, full_pixels)
        if not warms_up:
            self._measure(step_seconds / area)
        self.step += 1
        if self.budget_seconds is None:
            self.share = self.step / self.total_steps
            return
        self._move_towards_deadline(self.budget_seconds - self.used_seconds - reserve_seconds, full_pixels)

    def spend(self, seconds: float) -> None:
        """Count time that no step took, such as a validation."""
        self.used_seconds += seconds

    def seconds_left(self, full_pixels: int) -> float:
        """How long the steps that are left will take at the pace so far."""
        if self.by_deadline and self.budget_seconds is not None:
            return max(0.0, self.budget_seconds - self.used_seconds)
        return self.unit_seconds * self.total_steps * remaining_area(self.resolutions, self.share, full_pixels)

    def _measure(self, unit_seconds: float) -> None:
        if self.step <= 1 or not self.unit_seconds:
            self.unit_seconds = unit_seconds
        else:
            self.unit_seconds = PACE_MEMORY * self.unit_seconds + (1 - PACE_MEMORY) * unit_seconds

    def _move_towards_deadline(self, left_seconds: float, full_pixels: int) -> None:
        work = remaining_area(self.resolutions, self.share, full_pixels)
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


def relative_area(resolutions: Sequence[Resolution], share: float, full_pixels: int) -> float:
    """Pixels of a training image at `share`, relative to a full-size one."""
    return (pixels_at(resolutions, share, full_pixels) / full_pixels) ** 2


def remaining_area(resolutions: Sequence[Resolution], share: float, full_pixels: int) -> float:
    """The relative area integrated from `share` to the end: the work left, in full-size trainings."""
    total, start = 0.0, share
    for each in (*resolutions, Resolution(until=1.0, pixels=full_pixels)):
        total += max(0.0, each.until - start) * (each.pixels / full_pixels) ** 2
        start = max(start, each.until)
    return total
