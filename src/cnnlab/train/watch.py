"""What a training tells whoever looks on; the command line draws it, tests count it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Moment:
    """Where a training is after a step: shares and accuracies in [0, 1], the running mean of the loss."""

    step: int
    epoch: int
    share: float
    loss: float
    top1: float
    lr: float
    pixels: int
    images_per_second: float
    seconds_left: float


class Watch:
    """A looker-on that does nothing; override what is of interest."""

    def loading(self, done: int, total: int | None) -> None:
        """Data is being fetched or decoded: so many bytes or images of `total` (None: not known)."""

    def started(self, title: str) -> None:
        """Training begins, or goes on."""

    def stepped(self, moment: Moment) -> None:
        """A step is over."""

    def validated(self, epoch: int, top1: float, loss: float) -> None:
        """A validation is over: accuracy in [0, 1] and mean loss on the validation split."""

    def said(self, message: str) -> None:
        """Something worth a line: a note, a warning, what comes next."""

    def ended(self) -> None:
        """Training is over, for whatever reason."""


class StepWatch(Protocol):
    """Looks into the network around some steps, and leaves weights, gradients and random numbers as they are."""

    def samples(self, step: int) -> bool:
        """Whether it looks at `step`, which then runs the network uncompiled; steps count from 0."""

    def before_step(self, step: int) -> None:
        """Begin to look, if `step` is one to look at."""

    def after_step(self, step: int, *, loss: float, top1: float, gradient_scale: float) -> None:
        """Record what was seen of a step whose loss is finite; a gradient scaler multiplied that loss."""

    def close(self) -> None:
        """Stop looking; also right after a step that failed."""

    def draw(self, path: Path, *, title: str) -> None:
        """Draw all that was recorded as a PNG; nothing where nothing was."""


class WatchSteps(Protocol):
    """Makes a `StepWatch` for a training; `train` may not import the room that has one."""

    def __call__(
        self,
        network: nn.Module,
        *,
        num_classes: int,
        steps: int,
        earlier: Sequence[Mapping[str, Any]],
        record: Callable[[Mapping[str, Any], Mapping[str, float]], None],
        say: Callable[[str], None],
    ) -> StepWatch:
        """A watch of `network`.

        Args:
            network: what is trained.
            num_classes: K.
            steps: of the whole training.
            earlier: what an interrupted run recorded before, oldest first.
            record: takes what was seen of a step as JSON values, with `step`, and as scalars to plot by name.
            say: takes a line for people.
        """
