"""What a training tells whoever looks on; the command line draws it, tests count it."""

from __future__ import annotations

from dataclasses import dataclass


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
