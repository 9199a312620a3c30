"""The recipe's loss as a function of logits and labels; every one the mean over a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.recipes.recipe import (
    CrossEntropy,
    Hinge,
    Loss,
    MaximumAPosteriori,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiMargin,
)

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, K), labels int64 (N,) or shares float32 (N, K)) -> the mean loss, a scalar."""


def build_loss(loss: Loss, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> LossFunction:
    """The function a recipe's loss names.

    Args:
        loss: one of the recipe's losses.
        label_smoothing: the share of each label that goes to all classes alike; for cross-entropy.
        class_weights: (K,) on the device. Each image counts as much as its class; an image with shares of several
            classes counts as much as they do together. The mean is over images, so that a batch in pieces comes to
            the same as a whole one; balanced weights are 1 on average.
    """

    def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
        losses = image_losses(loss, logits.float(), labels, label_smoothing)
        if class_weights is None:
            return losses.mean()
        weights = class_weights[labels] if labels.ndim == 1 else labels @ class_weights
        return (losses * weights).mean()

    return mean_loss


def image_losses(loss: Loss, logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The loss of each image (N,), by the table of `recipes/losses.py`; arguments as `LossFunction` has them."""
    match loss:
        case CrossEntropy():
            return F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
        case Hinge():
            signs = 2 * _shares(labels, logits) - 1
            return (1 - signs * logits).clamp(min=0).pow(loss.power).sum(dim=1)
        case MultiMargin():
            return F.multi_margin_loss(logits, labels, p=loss.power, margin=loss.margin, reduction="none")
        case MeanSquaredError():
            return (logits - _shares(labels, logits)).square().mean(dim=1)
        case MeanAbsoluteError():
            return (logits - _shares(labels, logits)).abs().mean(dim=1)
        case MaximumAPosteriori():
            others = torch.cat((logits, torch.full_like(logits[:, :1], -loss.rubbish)), dim=1)
            return others.logsumexp(dim=1) - logits.gather(1, labels[:, None])[:, 0]


def _shares(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels as the share of each class, (N, K): 1 for the right one."""
    return labels if labels.ndim == 2 else F.one_hot(labels, logits.shape[1]).to(logits.dtype)
