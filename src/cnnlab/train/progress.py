"""What a training counts as it goes on, and a checkpoint keeps besides tensors; plain numbers all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnlab.train.bad_step import SPIKE_STEPS
from cnnlab.train.patience import waited_epochs
from cnnlab.train.step import StepResult


@dataclass
class Window:
    """Sums over the steps since the last record."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    aux_losses: dict[str, float] = field(default_factory=dict)

    def add(self, result: StepResult, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self.images += result.images
        self.loss += result.loss
        self.correct += result.correct
        self.seconds += seconds
        for name, loss in result.aux_losses.items():
            self.aux_losses[name] = self.aux_losses.get(name, 0.0) + loss


@dataclass
class Progress:
    """What a checkpoint says besides tensors; plain numbers all."""

    window: Window = field(default_factory=Window)
    val_errors: list[float] = field(default_factory=list)
    warming_up: bool = False
    images_seen: int = 0  # trained on in `step_seconds`
    images_trained: int = 0  # in all; of each batch the hardest ones alone, where a recipe says so
    step_seconds: float = 0.0
    compile_seconds: float = 0.0  # of steps that compiled or captured something; their images are not in images_seen
    averaged: int = 0  # steps whose weights the average holds
    validated_step: int = -1  # of the last validation
    bad_steps: list[int] = field(default_factory=list)  # left out, ascending
    rollbacks: int = 0
    recent: list[list[float]] = field(default_factory=list)  # of good steps, where spikes are looked for

    @property
    def best_step(self) -> int | None:
        """The step of the last validation, where that was the best so far."""
        return self.validated_step if self.val_errors and waited_epochs(self.val_errors) == 0 else None

    def remember(self, result: StepResult) -> None:
        """Keep a good step to measure later ones by."""
        self.recent = [*self.recent[1 - SPIKE_STEPS :], [result.loss, result.gradient_norm or 0.0]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Make it of what `dataclasses.asdict` made of another."""
        return cls(**{**values, "window": Window(**values["window"])})
