"""A recipe's augmentation as one function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from cnnlab.data import augment
from cnnlab.recipes.recipe import AlternatingFlip, Augment, Flip, PadCrop

AugmentBatch = Callable[[Tensor, np.ndarray, int], Tensor]


def augment_with(steps: Sequence[Augment], seed: int) -> AugmentBatch | None:
    """The recipe's augmentations, in order, as one function (images, indices, epoch) -> images.

    What happens to an image depends on `seed`, the epoch and the image's own number alone.
    """
    if not steps:
        return None

    def apply(images: Tensor, indices: np.ndarray, epoch: int) -> Tensor:
        for step in steps:
            images = _apply_one(step, images, indices, seed, epoch)
        return images

    return apply


def _apply_one(step: Augment, images: Tensor, indices: np.ndarray, seed: int, epoch: int) -> Tensor:
    if isinstance(step, PadCrop):
        rows, columns = augment.crop_offsets(seed, epoch, indices, step.pixels)
        return augment.pad_crop(images, rows, columns, step.pixels, step.mode)
    if isinstance(step, Flip):
        return augment.flip(images, augment.flip_mask(seed, epoch, indices, step.probability))
    assert isinstance(step, AlternatingFlip)
    return augment.flip(images, augment.alternating_flip_mask(seed, epoch, indices))
