"""One training step: the whole story from images to updated weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from cnnlab.models.layers import Network
from cnnlab.models.precision import Precision
from cnnlab.recipes.recipe import Clip
from cnnlab.train.clip import clip_gradients
from cnnlab.train.distributed import ALONE_TEAM, Team
from cnnlab.train.losses import LossFunction

Forward = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]
"""Images (N, C, H, W) -> logits (N, K), and those of each auxiliary head by name."""


@dataclass(frozen=True)
class Rule:
    """What a step does with a batch: the loss, what auxiliary heads count, in how many pieces, how it is clipped.

    With a `team` of several processes the batch is of `batch_size` images, and a step is given its share of them.
    """

    loss: LossFunction
    precision: Precision
    aux_weight: float = 0.0
    pieces: int = 1
    clip: Clip | None = None
    batch_size: int = 0
    team: Team = ALONE_TEAM


@dataclass(frozen=True)
class StepResult:
    """The mean loss of a batch, without auxiliary heads and of each of them, and how many of its images were right.

    `gradient_norm` is the norm of all gradients together before they are clipped, None where a gradient scaler is
    looking for its scale and takes care of infinite ones itself.
    """

    loss: float
    correct: int
    images: int
    aux_losses: dict[str, float] = field(default_factory=dict)
    gradient_norm: float | None = None

    @property
    def finite(self) -> bool:
        """Whether every loss and the gradient are numbers; if not, the weights were not updated."""
        numbers = (self.loss, *self.aux_losses.values(), self.gradient_norm or 0.0)
        return all(map(math.isfinite, numbers))

    @property
    def loss_of_update(self) -> float:
        """The loss; NaN where there was no update, as it or the gradient was no number."""
        return self.loss if self.finite else math.nan


Accepts = Callable[[StepResult], bool]
"""Whether a step's loss and gradient are such that the weights may be updated."""


def train_step(
    network: Network,
    forward: Forward,
    images: Tensor,
    labels: Tensor,
    optimizers: Sequence[torch.optim.Optimizer],
    scaler: torch.amp.GradScaler,
    rule: Rule,
    accepts: Accepts = lambda result: result.finite,
) -> StepResult:
    """One update of `network` on images (N, C, H, W) float32 and labels int64 (N,), or shares float32 (N, K).

    `forward` runs the network, compiled or not, with or without its auxiliary heads. What `accepts` refuses stops
    here, before any weight changes; the running statistics of the network have changed by then. Reading the loss
    and the gradient waits for the GPU once a step; that is the price of stopping in the same step.
    """
    losses = backward(forward, images, labels, scaler, rule)
    for optimizer in optimizers:
        scaler.unscale_(optimizer)
    numbers = Numbers.of(losses, rule.team.whole(gradient_norm(network)))
    result = numbers.read(searching=scaler.is_enabled() and scaler.get_scale() > 1)  # waits for the device
    result = rule.team.together(result, len(labels))
    if accepts(result):
        if rule.clip is not None:
            clip_gradients(rule.clip, network, cast(nn.Module, network.classifier))
        for optimizer in optimizers:
            scaler.step(optimizer)
    scaler.update()
    clear_gradients(optimizers)
    return result


def backward(
    forward: Forward, images: Tensor, labels: Tensor, scaler: torch.amp.GradScaler, rule: Rule
) -> list[Losses]:
    """Add the gradients of a batch to those that the parameters have; gives the losses of its pieces, on the device."""
    losses: list[Losses] = []
    pieces = list(zip(images.chunk(rule.pieces), labels.chunk(rule.pieces), strict=True))
    for number, (piece, of_piece) in enumerate(pieces, 1):
        with rule.team.reducing(last=number == len(pieces)):
            with rule.precision.autocast():
                logits, aux_logits = forward(piece)
                loss = rule.loss(logits, of_piece)
                aux_losses = {name: rule.loss(each, of_piece) for name, each in aux_logits.items()}
            total = loss + rule.aux_weight * sum(aux_losses.values())
            weight = rule.team.weight(len(of_piece), len(labels), rule.batch_size)
            scaler.scale(total * weight).backward()  # type: ignore[no-untyped-call]
        losses.append(Losses(len(of_piece), loss.detach(), aux_losses, _count_correct(logits, of_piece)))
    return losses


def clear_gradients(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Forget the gradients of all parameters."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def plain_forward(network: nn.Module) -> Forward:
    """The network without its auxiliary heads, as a step runs it."""
    return lambda images: (network(images), {})


@dataclass(frozen=True)
class Losses:
    """What came of one piece of a batch of so many `images`, still on the device."""

    images: int
    loss: Tensor
    aux_losses: dict[str, Tensor]
    correct: Tensor


def _count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    right = labels if labels.ndim == 1 else labels.argmax(dim=1)
    return (logits.argmax(dim=1) == right).sum()


def gradient_norm(network: nn.Module) -> Tensor:
    """The norm of all gradients together, a tensor of no dimension."""
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    return nn.utils.get_total_norm(gradients, foreach=True)


@dataclass(frozen=True)
class Numbers:
    """What a step tells of a batch, as one float32 tensor, so that it is fetched from the device at one go.

    `values` are the norm of the gradient, then for each piece its loss, those of auxiliary heads, and how many images
    were right. `images` are those of each piece, `aux_names` the heads.
    """

    values: Tensor
    images: tuple[int, ...]
    aux_names: tuple[str, ...]

    @classmethod
    def of(cls, losses: Sequence[Losses], norm: Tensor) -> Numbers:
        """Put the losses of a batch's pieces and the norm of its gradient together."""
        rows = torch.stack([torch.stack([each.loss, *each.aux_losses.values(), each.correct]) for each in losses])
        values = torch.cat([norm.view(1), rows.detach().float().flatten()])
        return cls(values, tuple(each.images for each in losses), tuple(losses[0].aux_losses))

    def read(self, *, searching: bool = False) -> StepResult:
        """The result of the batch; `searching` says that a gradient scaler takes care of an infinite norm itself."""
        numbers = self.values.cpu().double()
        norm, table = float(numbers[0]), numbers[1:].view(len(self.images), -1)
        images = table.new_tensor(self.images)
        loss, *aux_losses = (images @ table[:, :-1] / images.sum()).tolist()
        return StepResult(
            loss=loss,
            correct=int(table[:, -1].sum()),
            images=sum(self.images),
            aux_losses=dict(zip(self.aux_names, aux_losses, strict=True)),
            gradient_norm=None if searching and not math.isfinite(norm) else norm,
        )
