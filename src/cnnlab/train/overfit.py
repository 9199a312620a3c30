"""Can it learn a few images? The trial before any long training: what cannot learn 50 images will not learn 50,000.

Karpathy 2019, "A recipe for training neural networks", step 2: overfit. All that makes learning by heart harder is
left out: augmentation, dropout, label smoothing, weight decay, averages and auxiliary heads.
"""

from __future__ import annotations

import inspect
import math
from collections import deque
from dataclasses import dataclass, replace
from statistics import mean

from cnnlab.data.parts import Parts, choose
from cnnlab.data.splits import few_of_each
from cnnlab.errors import NonFiniteLossError, UsageError, command
from cnnlab.models.catalog import require_model
from cnnlab.recipes.recipe import Constant, Crop, Muon, Optimizer, Plateau, Recipe, ScaleJitter
from cnnlab.train.loop import Training
from cnnlab.train.step import StepResult

MOST_STEPS = 300


@dataclass(frozen=True)
class Overfit:
    """What came of a trial: `top1` in [0, 1] and the mean `loss` of the last steps, on the very images trained on.

    `loss` is None where it became no number.
    """

    images: int
    steps: int
    top1: float
    loss: float | None
    learned: bool

    @property
    def said(self) -> str:
        """The verdict, in a sentence."""
        if self.learned:
            return f"learned: all {self.images:,} images are right after {self.steps:,} steps, loss {self.loss:.3g}"
        loss = "the loss is no number any more" if self.loss is None else f"loss {self.loss:.3g}"
        right = round(self.top1 * self.images)
        return f"not learned: {right:,} of {self.images:,} images are right after {self.steps:,} steps, {loss}"


def what_to_look_at(model: str, data: str) -> tuple[str, ...]:
    """Where to look where a few images are not learned, the likeliest first, with what to type."""
    return (
        f"the learning rate: {command('lr-find', data, '--model', model)}, then --lr",
        f"labels, normalisation and dead ReLUs: {command('diagnose', model, data)}",
        "the network: one too small for so many images learns fewer (a lower N), or needs more width or depth",
    )


def for_a_few(recipe: Recipe, images: int) -> Recipe:
    """The recipe without what makes learning by heart harder; its schedule stretches over the trial.

    Raises:
        UsageError: for fewer than two images.
    """
    if images < 2:
        raise UsageError(f"--overfit {images} leaves nothing to tell apart; give 2 images or more, such as 50")
    batch_size = images // math.ceil(images / recipe.batch_size)  # equal batches: hardly an image is left out
    crop = _whole(recipe.crop) if recipe.crop is not None else None
    pixels = crop.pixels if crop is not None else None
    return replace(
        recipe,
        batch_size=batch_size,
        accumulate=recipe.accumulate if batch_size == recipe.batch_size else 1,
        optimizer=_without_decay(recipe.optimizer),
        schedule=Constant() if isinstance(recipe.schedule, Plateau) else recipe.schedule,
        augment=(),
        resolutions=(),
        crop=crop,
        test_resize_pixels=pixels,
        test_crop_pixels=pixels,
        dropout=0.0 if "dropout" in inspect.signature(require_model(recipe.model).build).parameters else None,
        label_smoothing=0.0,
        aux_weight=0.0,
        hardest=None,
        average=None,
        cpu_minutes=None,
    )


def _whole(crop: Crop) -> ScaleJitter:
    """The centre square of a photo, resized to the crop: nothing is drawn."""
    return ScaleJitter(pixels=crop.pixels, shorter_side=(crop.pixels, crop.pixels), centre_square=True)


def _without_decay(optimizer: Optimizer) -> Optimizer:
    if not isinstance(optimizer, Muon):
        return replace(optimizer, weight_decay=0.0)
    linear = replace(optimizer.linear, weight_decay=0.0) if optimizer.linear else None
    return replace(optimizer, rest=replace(optimizer.rest, weight_decay=0.0), linear=linear)


def few_parts(parts: Parts, images: int, seed: int) -> Parts:
    """So many training images, as many of each class as there are; nothing to validate on and no test part.

    Raises:
        UsageError: there are not so many.
    """
    chosen = few_of_each(parts.train.labels.numpy(), images, seed)
    return replace(parts, train=choose(parts.train, chosen), val=choose(parts.train, chosen[:0]), test=None)


def overfit(training: Training) -> Overfit:
    """Train on `few_parts` until the images of as many steps as an epoch has are all right, or none is left.

    Right as the network is trained, with the statistics of the batch: those that a test uses lag behind.

    Args:
        training: one that has not begun and is not used after, of `for_a_few` and `few_parts`.
    """
    epoch_steps = training.batches.steps_per_epoch
    epoch_images = epoch_steps * training.recipe.batch_size
    last: deque[StepResult] = deque(maxlen=epoch_steps)
    learned, finite = False, True
    try:
        while not (learned or training.clock.done):
            last.extend(training.step())
            learned = sum(each.correct for each in last) == epoch_images
    except NonFiniteLossError:
        finite = False
    return Overfit(
        images=len(training.parts.train),
        steps=training.clock.step,
        top1=sum(each.correct for each in last) / epoch_images,
        loss=mean(each.loss for each in last) if last and finite else None,
        learned=learned,
    )
