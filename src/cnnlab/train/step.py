"""One training step: the whole story from images to updated weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.train.precision import Precision


@dataclass(frozen=True)
class StepResult:
    """The mean loss of a batch, and how many of its images the network got right."""

    loss: float
    correct: int

    @property
    def finite(self) -> bool:
        """Whether the loss is a number; if not, the weights were not updated."""
        return math.isfinite(self.loss)


def train_step(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizers: Sequence[torch.optim.Optimizer],
    precision: Precision,
    scaler: torch.amp.GradScaler,
    label_smoothing: float,
) -> StepResult:
    """One update of `network` on images (N, C, H, W) float32 and labels (N,) int64.

    A loss that is not finite stops here, before any gradient or weight changes. Reading the loss
    waits for the GPU once a step; that is the price of stopping in the same step.
    """
    with precision.autocast():
        logits = network(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    result = StepResult(loss.item(), int((logits.argmax(dim=1) == labels).sum()))
    if not result.finite:
        return result
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    return result
