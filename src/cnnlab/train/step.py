"""One training step: the whole story from images to updated weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from cnnlab.models.layers import Network
from cnnlab.recipes.recipe import Clip
from cnnlab.train.clip import clip_gradients
from cnnlab.train.losses import LossFunction
from cnnlab.train.precision import Precision

Forward = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]
"""Images (N, C, H, W) -> logits (N, K), and those of each auxiliary head by name."""


@dataclass(frozen=True)
class Rule:
    """What a step does with a batch: the loss, what auxiliary heads count, in how many pieces, how it is clipped."""

    loss: LossFunction
    precision: Precision
    aux_weight: float = 0.0
    pieces: int = 1
    clip: Clip | None = None


@dataclass(frozen=True)
class StepResult:
    """The mean loss of a batch, without auxiliary heads and of each of them, and how many images were right."""

    loss: float
    correct: int
    aux_losses: dict[str, float] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Whether every loss is a number; if not, the weights were not updated."""
        return math.isfinite(self.loss) and all(map(math.isfinite, self.aux_losses.values()))


def train_step(
    network: Network,
    forward: Forward,
    images: Tensor,
    labels: Tensor,
    optimizers: Sequence[torch.optim.Optimizer],
    scaler: torch.amp.GradScaler,
    rule: Rule,
) -> StepResult:
    """One update of `network` on images (N, C, H, W) float32 and labels int64 (N,), or shares float32 (N, K).

    `forward` runs the network, compiled or not, with or without its auxiliary heads. A loss that is not finite
    stops here, before any weight changes. Reading the loss waits for the GPU once a piece; that is the price of
    stopping in the same step.
    """
    results: list[StepResult] = []
    for piece, of_piece in zip(images.chunk(rule.pieces), labels.chunk(rule.pieces), strict=True):
        with rule.precision.autocast():
            logits, aux_logits = forward(piece)
            loss = rule.loss(logits, of_piece)
            aux_losses = {name: rule.loss(each, of_piece) for name, each in aux_logits.items()}
        results.append(_result(loss, aux_losses, logits, of_piece))
        if not results[-1].finite:
            clear_gradients(optimizers)
            return results[-1]
        total = loss + rule.aux_weight * sum(aux_losses.values())
        scaler.scale(total / rule.pieces).backward()  # type: ignore[no-untyped-call]
    if rule.clip is not None:
        for optimizer in optimizers:
            scaler.unscale_(optimizer)
        clip_gradients(rule.clip, network, cast(nn.Module, network.classifier))
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()
    clear_gradients(optimizers)
    return _together(results)


def clear_gradients(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Forget the gradients of all parameters."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def plain_forward(network: nn.Module) -> Forward:
    """The network without its auxiliary heads, as a step runs it."""
    return lambda images: (network(images), {})


def _result(loss: Tensor, aux_losses: dict[str, Tensor], logits: Tensor, labels: Tensor) -> StepResult:
    right = labels if labels.ndim == 1 else labels.argmax(dim=1)
    correct = int((logits.argmax(dim=1) == right).sum())
    return StepResult(loss.item(), correct, {name: each.item() for name, each in aux_losses.items()})


def _together(results: Sequence[StepResult]) -> StepResult:
    """The result of a batch from those of its pieces, all of one size."""
    count = len(results)
    return StepResult(
        loss=sum(each.loss for each in results) / count,
        correct=sum(each.correct for each in results),
        aux_losses={name: sum(each.aux_losses[name] for each in results) / count for name in results[0].aux_losses},
    )
