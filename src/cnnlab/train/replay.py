"""A bad step taken again from what the run kept of it: where the first value that is no number appears."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.data.parts import name_of
from cnnlab.errors import DataError, UsageError
from cnnlab.recipes import recipe as recipes
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.loop import Training
from cnnlab.train.optim import in_use
from cnnlab.train.record import BAD_STEP, RunFolder
from cnnlab.train.run import RECIPE, SETTINGS, Inputs, Settings
from cnnlab.train.step import train_step
from cnnlab.train.watch import Watch

Place = tuple[str, str | None]


@dataclass(frozen=True)
class Replay:
    """A bad step taken again.

    Attributes:
        step: its number, from 0.
        wrong: what the training found wrong with it.
        indices: the training images of its batch.
        names: what these are called.
        where: what holds the first value that is no number: "images", "weights", "activations", "loss" or
            "gradients"; None where all are finite, as in a spike.
        name: of the weight, the layer or the parameter; None for images and the loss.
        loss: of the batch, now.
        gradient_norm: of all gradients together, now.
    """

    step: int
    wrong: str
    indices: tuple[int, ...]
    names: tuple[str, ...]
    where: str | None
    name: str | None
    loss: float
    gradient_norm: float | None


def replay(folder: Path, *, watch: Watch | None = None) -> Replay:
    """Take the last bad step of the run in `folder` again, in memory; the run stays as it is.

    Raises:
        UsageError: the run has had no bad step, or trains at this moment.
        CheckpointError: what was kept of it is damaged.
        DataError: the data is no longer the same.
    """
    kept = checkpoints.list_checkpoints(folder / BAD_STEP)
    if not kept or not (folder / f"{BAD_STEP}.json").is_file():
        raise UsageError(f"nothing to replay in {folder}: no step of this run had a loss or gradient gone wild")
    recipe = recipes.read(folder / RECIPE)
    settings = Settings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    with RunFolder(folder, resume=True) as run:
        training = Inputs.gather(recipe, settings, run, watch or Watch()).training(recipe, settings, Watch())
        training.go_to(checkpoints.load(kept[-1]))
        return _again(training, run.read_json(f"{BAD_STEP}.json"))


def _again(training: Training, noted: dict[str, Any]) -> Replay:
    """The step as `Training.step` takes it, but for its update."""
    training.prepare_step()
    batch, images, _ = training.images_of_step()
    images, labels = training.trained_on(images, batch.labels)
    if batch.indices.tolist() != noted["indices"]:
        raise DataError(f"step {noted['step']} has other images now than when it went wrong; put the data back")
    places: list[Place] = [] if _finite(images) else [("images", None)]
    places += [("weights", name) for name, each in training.network.state_dict().items() if not _finite(each)]
    with _watched(training.network, places):
        optimizers, rule = in_use(training.optimizers), training.rule
        forward, network, scaler = training.plain_forward, training.network, training.scaler
        result = train_step(network, forward, images, labels, optimizers, scaler, rule, lambda result: False)
    if not places and not result.finite:
        places = [("loss", None)]
    where, name = places[0] if places else (None, None)
    names = tuple(name_of(training.parts.train, index) for index in noted["indices"])
    return Replay(
        step=noted["step"],
        wrong=noted["wrong"],
        indices=tuple(noted["indices"]),
        names=names,
        where=where,
        name=name,
        loss=result.loss,
        gradient_norm=result.gradient_norm,
    )


@contextmanager
def _watched(network: nn.Module, places: list[Place]) -> Iterator[None]:
    """Add to `places` whatever layer or gradient holds a value that is no number, in the order they are computed."""

    def look(name: str, output: object) -> None:
        if isinstance(output, Tensor) and not _finite(output):
            places.append(("activations", name))

    def look_at_gradient(name: str, parameter: Tensor) -> None:
        if parameter.grad is not None and not _finite(parameter.grad):
            places.append(("gradients", name))

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            hooked = module.register_forward_hook(lambda _, __, output, name=name: look(name, output))
            hooks.callback(hooked.remove)
        for name, each in network.named_parameters():
            if each.requires_grad:
                hooked = each.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                    lambda it, name=name: look_at_gradient(name, it)
                )
                hooks.callback(hooked.remove)
        yield


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())
