"""Does it learn? A training held against guessing, while it runs and at its end.

A network that answers how often each class comes, whatever the image, has the entropy of these shares as its loss,
and the commonest class's share as its accuracy. A training that is not better after a fair share of its steps has
not learned, however long it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.data.loader import Weights
from cnnlab.errors import command
from cnnlab.recipes.choose import ENOUGH_STEPS
from cnnlab.recipes.recipe import CrossEntropy, Recipe

FAIR_SHARE, FAIR_STEPS = 0.25, 1_000  # of a training, or steps, whichever is over first: then it should have learned
RECENT_SHARE, RECENT_STEPS = 0.2, 60  # of the steps so far, and at least so many, whose loss is looked at
LEAST_FALL = 0.01  # of the loss of guessing; where the loss is not below it by that, nothing was learned
BLOWN_UP = 1.5  # times the loss of guessing
CHANCE = 0.05  # of answers as good as these from a network that knows nothing; above, nothing is shown
SURE = 0.001  # of the same; below, what the training loss says does not matter: augmentation alone can hold it up


def guess_loss(
    recipe: Recipe,
    labels: Tensor,
    classes: int,
    *,
    class_weights: Tensor | None = None,
    image_weights: Weights | None = None,
) -> float | None:
    """The lowest training loss without looking at an image; None where the recipe's loss is not of that kind.

    Mixed images leave it as it is; label smoothing raises it. The loss of the hardest images alone is above it by
    itself, and other losses than cross-entropy have other bounds.

    Args:
        recipe: its loss and label smoothing.
        labels: of the training part, int64 (N,).
        classes: K.
        class_weights: (K,), what an image of each class counts in the loss.
        image_weights: (N,), how often each image is drawn.
    """
    if not isinstance(recipe.loss, CrossEntropy) or recipe.hardest is not None or not len(labels):
        return None
    drawn = torch.from_numpy(np.asarray(image_weights, np.float64)) if image_weights is not None else None
    shares = torch.bincount(labels, weights=drawn, minlength=classes).double()
    shares = shares / shares.sum() * (class_weights.cpu().double() if class_weights is not None else 1.0)
    total = float(shares.sum())
    shares = (1 - recipe.label_smoothing) * shares / total + recipe.label_smoothing / classes
    return total * float(torch.special.entr(shares).sum())


@dataclass(frozen=True)
class Answered:
    """How images that were not trained on were answered: `right` of `images`; `guesses` counts each class's answers."""

    split: str
    images: int
    right: int
    guesses: tuple[int, ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, split: str, guesses: Sequence[int] | Tensor, labels: Sequence[int] | Tensor, classes: int) -> Answered:
        """Count the answers and truths, class numbers (N,)."""
        answers, truths = np.asarray(guesses, np.int64), np.asarray(labels, np.int64)
        counts = (tuple(np.bincount(each, minlength=classes).tolist()) for each in (answers, truths))
        return cls(split, len(truths), int((answers == truths).sum()), *counts)

    @property
    def commonest(self) -> int:
        """Images of the commonest class, which are right without looking."""
        return max(self.labels, default=0)

    @property
    def one_class(self) -> int | None:
        """The class that is answered for every image, of which there are several kinds; None where there is none."""
        several = sum(count > 0 for count in self.labels) > 1
        return self.guesses.index(self.images) if several and self.images in self.guesses else None

    def chance(self, right: int) -> float:
        """How likely so many are right, or more, where each is with the share of the commonest class."""
        share = self.commonest / self.images
        if right <= 0 or share >= 1:
            return 1.0
        log_factorials = np.concatenate([[0.0], np.log(np.arange(1, self.images + 1)).cumsum()])
        counts = np.arange(right, self.images + 1)
        ways = log_factorials[-1] - log_factorials[counts] - log_factorials[self.images - counts]
        return float(np.exp(ways + counts * math.log(share) + (self.images - counts) * math.log1p(-share)).sum())


class Learning:
    """What a training's losses say so far, against `guess`, the loss of guessing (`guess_loss`)."""

    def __init__(self, guess: float | None) -> None:
        self.guess = guess
        self._windows: list[tuple[int, int, float]] = []  # the step a window ends at, its steps, their mean loss
        self._doubted = False

    def add(self, step: int, loss: float) -> None:
        """Count the steps from the last window to `step`, by their mean loss."""
        last = self._windows[-1][0] if self._windows else 0
        self._windows.append((step, max(1, step - last), loss))

    def take_up(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Go on from what a run's metrics say, in place of what was counted so far."""
        self._windows = []
        for each in records:
            if each["split"] == "train":
                self.add(each["step"], each["loss"])

    @property
    def loss(self) -> float | None:
        """The mean training loss of the most recent steps; None before there are any."""
        if not self._windows:
            return None
        now = self._windows[-1][0]
        begins = now - max(RECENT_STEPS, RECENT_SHARE * now)
        chosen = [(steps, loss) for step, steps, loss in self._windows if step > begins]
        return sum(steps * loss for steps, loss in chosen) / sum(steps for steps, _ in chosen)

    @property
    def is_guessing(self) -> bool:
        """Whether the training loss is not below that of guessing."""
        return self.loss is not None and self.guess is not None and not self.loss < (1 - LEAST_FALL) * self.guess

    def doubt(self, step: int, share: float) -> str | None:
        """What to say at a step, when `share` of the training is over: that nothing is learned, or that it is now."""
        if step < RECENT_STEPS or (share < FAIR_SHARE and step < FAIR_STEPS) or self.is_guessing == self._doubted:
            return None
        self._doubted = self.is_guessing
        if not self._doubted:
            return f"it learns now: the training loss is {self.loss:.3f}, that of guessing {self.guess:.3f}"
        return f"warning: it has not learned anything in {step:,} steps: {self.said}"

    @property
    def said(self) -> str:
        """The two losses, in words."""
        return (
            f"the training loss is {self.loss:.3f}, and guessing by how often each class comes gives {self.guess:.3f}"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a training learned (None: it cannot be told), what is wrong, and what to try."""

    learned: bool | None
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


def judge(learning: Learning, answered: Answered | None, class_names: Sequence[str]) -> Verdict:
    """Hold a training that is over against guessing, by its loss and by its answers where there are any."""
    if answered is not None and answered.images and answered.chance(answered.right) <= SURE:
        return Verdict(True)
    warnings = [learning.said] if learning.is_guessing else []
    if answered is None or not answered.images:
        return Verdict(False if warnings else None, (*warnings, "there are no other images to see what it learned by"))
    if answered.one_class is not None:
        warnings.append(
            f"{class_names[answered.one_class]!r} is answered for all {answered.images:,} {answered.split} images"
        )
    elif answered.right <= answered.commonest and answered.chance(answered.images) <= CHANCE:
        warnings.append(f"{_right(answered)}, no better than always answering the commonest class ({_blind(answered)})")
    if warnings:
        return Verdict(False, tuple(warnings))
    if answered.chance(answered.images) > CHANCE:
        return Verdict(None, (f"{answered.images:,} {answered.split} images are too few to tell whether it learned",))
    if answered.chance(answered.right) > CHANCE:
        told = (
            f"{_right(answered)}, which cannot be told from always answering the commonest class ({_blind(answered)})"
        )
        return Verdict(None, (told,))
    return Verdict(True)


def _right(answered: Answered) -> str:
    return f"{answered.right:,} of {answered.images:,} {answered.split} images are right"


def _blind(answered: Answered) -> str:
    return f"{answered.commonest:,} of {answered.images:,}"


def what_to_try(recipe: Recipe, data: str, learning: Learning, steps: int) -> tuple[str, ...]:
    """Where to look where nothing was learned, the likeliest first, with what to type."""
    told = [f"a lower rate than {recipe.optimizer.lr:g}: --lr {recipe.optimizer.lr / 10:g}"]
    if learning.loss is not None and learning.guess is not None and learning.loss > BLOWN_UP * learning.guess:
        told[0] = f"the loss has blown up; {told[0]}"
    told.append(f"a rate found by trying: --lr auto, or {command('lr-find', data, '--model', recipe.model)}")
    if steps < ENOUGH_STEPS:
        smaller = ", or a smaller --batch-size" if recipe.batch_size > 1 else ""
        told.insert(0, f"more steps than {steps:,}: --epochs or --minutes{smaller}")
    if not recipe.reasons and recipe.model != "airnet":
        told.append("the recipe that is chosen for the data: leave out --recipe")
    if recipe.model != "airnet":
        told.append("a network that learns fast: --model airnet, or --model resnet20")
    return (*told, f"the images and their labels: {command('data', 'stats', data)}")
