"""Classes of unequal size: weights for the loss, and weights for drawing images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.errors import DataError


def class_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Weigh each class by N / (K * its images), float32 (K,): all classes then weigh alike in the loss.

    `labels` are int64 (N,). K counts the classes that have images; one without has weight 0. As
    scikit-learn's "balanced". Raises `DataError` for a label out of range, or when there are none.
    """
    counts = _counts(labels, num_classes)
    present = counts > 0
    weights = len(labels) / (present.sum() * counts.clamp(min=1))
    return (weights * present).float()


def image_weights(labels: Tensor, num_classes: int) -> npt.NDArray[np.float64]:
    """Weigh each image (N,) so that every class is drawn as often as any other; for `weights` of `Batches`.

    Raises as `class_weights` does.
    """
    return class_weights(labels, num_classes)[labels].numpy().astype(np.float64)


def _counts(labels: Tensor, num_classes: int) -> Tensor:
    if not len(labels):
        raise DataError("no labels to balance; give a part with images")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(f"labels run from {low} to {high}; accepted: 0 to {num_classes - 1}")
    return torch.bincount(labels, minlength=num_classes)
