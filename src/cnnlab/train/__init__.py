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
        recipe: str | Recipe | None = None,
        data: str | Path = "cifar10",
        *,
        run: str | Path | None = None,
        resume: bool = False,
        data_folder: str | Path | None = None,
        manifest: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        minutes: float | None = None,
        epochs: float | None = None,
        final: bool = False,
        pretrained: str | Path | None = None,
        pretrained_key: str | None = None,
        pretrained_ema: bool = False,
        freeze: str | None = None,
        unfreeze_at: float | None = None,
        layer_lr: float | None = None,
        patience: int | None = None,
        class_weights: bool = False,
        balanced: bool = False,
        max_bad: float = 0.01,
        train_images: int | None = None,
        pixels: int | None = None,
        compiled: bool = False,
        graphs: bool | None = None,
        gpu_jpegs: bool = False,
        save_seconds: float = 60.0,
        keep: int = 2,
        workers: int = 0,
        on_bad_step: str = "stop",
        spike: float | None = None,
        auto_batch_size: bool = False,
        auto_lr: bool = False,
        sync_bn: bool = False,
        rank_seconds: float = 10.0,
        fsdp: bool = False,
    ) -> Run:
        """Train a recipe, or one by name, on `data` in the folder `run` and test it once; returns the finished run.

        Without a recipe one is chosen that fits the data and the time, as `cnnlab train` does: for CIFAR-10
        `fast/cifar10`.
        With `resume` it goes on with `run` if that has begun, and gives it as it is if it is over. All else is what
        `cnnlab train` takes, and is told of by `cnnlab.train.run.Settings`.

        Raises:
            UsageError: an unknown name, settings that do not go together, or `run` began with others.
            DataError: the data cannot be used.
            InterruptedRunError: asked to stop; all is saved.
            NonFiniteLossError, CheckpointError: see `cnnlab.train.loop.fit`.
        """
        from cnnlab.train.chosen import recipe_for_settings
        from cnnlab.train.run import RECIPE, Settings, go_on_or_train, train_run

        settings = Settings(
            data=str(data),
            data_folder=_text(data_folder),
            manifest=_text(manifest),
            seed=seed,
            device=device,
            minutes=minutes,
            epochs=epochs,
            final=final,
            pretrained=_text(pretrained),
            pretrained_key=pretrained_key,
            pretrained_ema=pretrained_ema,
            freeze=freeze,
            unfreeze_at=unfreeze_at,
            layer_lr=layer_lr,
            patience=patience,
            class_weights=class_weights,
            balanced=balanced,
            max_bad=max_bad,
            train_images=train_images,
            pixels=pixels,
            compiled=compiled,
            graphs=graphs,
            gpu_jpegs=gpu_jpegs,
            save_seconds=save_seconds,
            keep=keep,
            workers=workers,
            on_bad_step=on_bad_step,
            spike=spike,
            auto_batch_size=auto_batch_size,
            auto_lr=auto_lr,
            sync_bn=sync_bn,
            rank_seconds=rank_seconds,
            fsdp=fsdp,
        )
        folder = Path(run) if run is not None else None
        if recipe is None:
            begun = resume and folder is not None and (folder / RECIPE).is_file()
            recipe = str(folder / RECIPE) if begun and folder is not None else recipe_for_settings(settings)
        return go_on_or_train(recipe, settings, folder) if resume else train_run(recipe, settings, folder)


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


sys.modules[__name__].__class__ = _Train
