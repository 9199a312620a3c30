from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import torch

from cnnlab.data.parts import Parts
from cnnlab.data.preprocess import measure
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.bad_step import STOP, OnBadStep
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder
from cnnlab.train.watch import Watch, WatchSteps
from tests.train.training import RECIPE, small_parts


class TrainingIn(Protocol):
    def __call__(
        self,
        folder: Path,
        recipe: Recipe = RECIPE,
        *,
        parts: Parts | None = None,
        seed: int = 0,
        resume: bool = False,
        watch: Watch | None = None,
        device: str = "cpu",
        compiled: bool = False,
        watch_steps: WatchSteps | None = None,
        frozen: str | None = None,
        unfreeze_at: float | None = None,
        layer_lr: float | None = None,
        patience: int | None = None,
        on_bad_step: OnBadStep = STOP,
        graphs: bool | None = False,
    ) -> Training: ...


@pytest.fixture
def training_in() -> Iterator[TrainingIn]:
    """Make trainings, each in a folder of its own, ready for their first step; folders are closed at the end."""
    opened: list[RunFolder] = []

    def make(
        folder: Path,
        recipe: Recipe = RECIPE,
        *,
        parts: Parts | None = None,
        seed: int = 0,
        resume: bool = False,
        watch: Watch | None = None,
        device: str = "cpu",
        compiled: bool = False,
        watch_steps: WatchSteps | None = None,
        frozen: str | None = None,
        unfreeze_at: float | None = None,
        layer_lr: float | None = None,
        patience: int | None = None,
        on_bad_step: OnBadStep = STOP,
        graphs: bool | None = False,
    ) -> Training:
        parts = parts or small_parts()
        run = RunFolder(folder, resume=resume)
        opened.append(run)
        if not resume:
            run.write_json("recipe.json", {})
        return Training(
            recipe,
            parts,
            measure(parts.train.images),
            run,
            seed=seed,
            device=torch.device(device),
            minutes=None,
            compiled=compiled,
            save_seconds=3600.0,
            watch=watch or Watch(),
            watch_steps=watch_steps,
            frozen=frozen,
            unfreeze_at=unfreeze_at,
            layer_lr=layer_lr,
            patience=patience,
            on_bad_step=on_bad_step,
            graphs=graphs,
        )

    yield make
    for run in opened:
        run.close()
