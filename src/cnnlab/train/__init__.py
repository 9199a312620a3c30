"""How a network learns: the step, the loop around it, and all that must not be lost.

The room can be called: `cnnlab.train("resnet2015/cifar10", data="cifar10")` trains and returns the run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.recipes.recipe import Recipe
    from cnnlab.train.run import Run


class _Train(ModuleType):
    """This package, made callable, so that one name is both the room and what it does."""

    def __call__(
        self,
        recipe: str | Recipe = "fast/cifar10",
        data: str | Path = "cifar10",
        *,
        run: str | Path | None = None,
        seed: int = 0,
        minutes: float | None = None,
        epochs: float | None = None,
        pretrained: str | Path | None = None,
        freeze: str | None = None,
        device: str = "auto",
        final: bool = False,
    ) -> Run:
        """Train a recipe, or one by name, on `data` and test it once; returns the finished run."""
        from cnnlab.train.run import Settings, train_run

        settings = Settings(
            data=str(data),
            seed=seed,
            minutes=minutes,
            epochs=epochs,
            pretrained=str(pretrained) if pretrained is not None else None,
            freeze=freeze,
            device=device,
            final=final,
        )
        return train_run(recipe, settings, Path(run) if run is not None else None)


sys.modules[__name__].__class__ = _Train
