"""The training loop: steps, validations and checkpoints, from a recipe to trained weights."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import torch
from torch import nn

from cnnlab.data import augment
from cnnlab.data.loader import Batch, Batches, eval_batches
from cnnlab.data.parts import Parts
from cnnlab.data.preprocess import normalise
from cnnlab.errors import CheckpointError, InterruptedRunError, NonFiniteLossError
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_accuracy
from cnnlab.evaluate.predict import predict_probabilities
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.catalog import create_model
from cnnlab.models.device import place_network
from cnnlab.models.initialise import initialise
from cnnlab.models.layers import Network
from cnnlab.recipes.recipe import Recipe
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.average import averaged_copy, update_average
from cnnlab.train.batches import augment_with
from cnnlab.train.clock import Clock, pixels_at
from cnnlab.train.optim import build_optimizers, set_lr
from cnnlab.train.precision import resolve_precision
from cnnlab.train.record import RunFolder
from cnnlab.train.schedule import lr_factor
from cnnlab.train.signals import StopRequest
from cnnlab.train.step import StepResult, train_step
from cnnlab.train.watch import Moment, Watch
from cnnlab.types import Preprocess

LOG_STEPS = 20  # steps a training record sums up
EVAL_BATCH = 500
CALIBRATION_IMAGES = 5_000  # training images a network may look at before the first step


@dataclass
class Window:
    """Sums over the steps since the last record."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0

    def add(self, result: StepResult, images: int, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self.images += images
        self.loss += result.loss
        self.correct += result.correct
        self.seconds += seconds


@dataclass
class Progress:
    """What a checkpoint says besides tensors; plain numbers all."""

    window: Window = field(default_factory=Window)
    val_errors: list[float] = field(default_factory=list)
    warming_up: bool = False
    images_seen: int = 0
    step_seconds: float = 0.0


class Training:
    """One training in progress: the network and all that changes with it."""

    def __init__(
        self,
        recipe: Recipe,
        parts: Parts,
        preprocess: Preprocess,
        run: RunFolder,
        *,
        seed: int,
        device: torch.device,
        minutes: float | None,
        compiled: bool,
        save_seconds: float,
        watch: Watch,
    ) -> None:
        self.recipe, self.parts, self.preprocess, self.run, self.watch = recipe, parts, preprocess, run, watch
        self.seed, self.device, self.save_seconds = seed, device, save_seconds
        self.full_pixels = parts.train.images.shape[-1]
        self.batches = Batches(
            parts.train,
            batch_size=recipe.batch_size,
            seed=seed,
            preprocess=preprocess,
            device=device,
            augment=augment_with(recipe.augment, seed),
        )
        self.network = place_network(build_network(recipe, parts, seed), device)
        self._calibrate()
        self.average = averaged_copy(self.network) if recipe.average else None
        self.compiled = cast(nn.Module, torch.compile(self.network)) if compiled else self.network
        self.optimizers = build_optimizers(
            recipe.optimizer, self.network, decay_norms_and_biases=recipe.decay_norms_and_biases
        )
        self.precision = resolve_precision(recipe.precision, device)
        self.scaler = self.precision.scaler()
        self.recipe_steps = recipe.steps or max(1, round((recipe.epochs or 0) * self.batches.steps_per_epoch))
        budget = minutes or (recipe.cpu_minutes if device.type == "cpu" else None)
        self.clock = Clock(
            self.recipe_steps,
            recipe.resolutions,
            budget_seconds=budget * 60 if budget else None,
            stretch=minutes is not None,
        )
        self.progress = Progress(warming_up=recipe.warmup is not None)
        self.eval_seconds_per_image: float | None = None  # of one view, once a validation has been timed

    def _calibrate(self) -> None:
        images = self.parts.train.images[:CALIBRATION_IMAGES].to(self.device)
        self.network.calibrate(normalise(images, self.preprocess))

    # -- one step ---------------------------------------------------------------------------------------

    def step(self) -> None:
        """Take one step, and what is due after it: a record, a validation."""
        started = time.perf_counter()
        epoch, position = divmod(self.clock.step, self.batches.steps_per_epoch)
        torch.manual_seed(step_seed(self.seed, self.clock.step))  # dropout: a function of the step alone
        lr = self._set_lr()
        batch = self.batches.batch(epoch, position)
        pixels = pixels_at(self.recipe.resolutions, self.clock.share, self.full_pixels)
        images = batch.images if pixels == self.full_pixels else augment.downsample(batch.images, pixels)
        result = train_step(
            self.compiled,
            images,
            batch.labels,
            self.optimizers,
            self.precision,
            self.scaler,
            self.recipe.label_smoothing,
        )
        if not result.finite:
            self._stop_at_non_finite(result, batch, epoch, lr)
        if self.average is not None and self.recipe.average is not None:
            update_average(self.average, self.network, self.recipe.average.decay, self.clock.step + 1)
        seconds = time.perf_counter() - started
        self.clock.tick(seconds, self.full_pixels, self._test_seconds())
        self._account(result, len(batch.labels), seconds, epoch, lr, pixels)
        if position + 1 == self.batches.steps_per_epoch or self.clock.done:
            self.validate(epoch)

    def _test_seconds(self) -> float:
        """What the last validation and the reading of the test part will take, which a time budget leaves room for."""
        forward = self.clock.unit_seconds / self.recipe.batch_size / 3  # a step is a forward pass and twice that back
        views = len(PROTOCOLS[self.recipe.protocol].views)
        tested = len(self.parts.test) if self.parts.test is not None else 0
        return (self.eval_seconds_per_image or forward) * (len(self.parts.val) + views * tested)

    def _set_lr(self) -> float:
        scale = self.recipe_steps * self.clock.share
        factor = lr_factor(self.recipe.schedule, scale, self.recipe_steps, self.progress.val_errors)
        if self.recipe.warmup is not None and self.progress.warming_up:
            factor *= self.recipe.warmup.factor
        set_lr(self.optimizers, factor)
        return self.recipe.optimizer.lr * factor

    def _account(self, result: StepResult, images: int, seconds: float, epoch: int, lr: float, pixels: int) -> None:
        progress, clock, window = self.progress, self.clock, self.progress.window
        window.add(result, images, seconds)
        progress.images_seen += images
        progress.step_seconds += seconds
        self.watch.stepped(
            Moment(
                step=clock.step,
                epoch=epoch,
                share=clock.share,
                loss=window.loss / window.steps,
                top1=window.correct / window.images,
                lr=lr,
                pixels=pixels,
                images_per_second=window.images / window.seconds,
                seconds_left=clock.seconds_left(self.full_pixels),
            )
        )
        if window.steps == LOG_STEPS or clock.done:
            self._log_window(epoch, lr)

    def _log_window(self, epoch: int, lr: float) -> None:
        window = self.progress.window
        top1 = window.correct / window.images
        self.run.log(
            {
                "step": self.clock.step,
                "epoch": epoch,
                "split": "train",
                "loss": window.loss / window.steps,
                "top1": top1,
                "lr": lr,
                "images_per_second": window.images / window.seconds,
                "seconds": self.clock.used_seconds,
            }
        )
        if self.recipe.warmup is not None and 1 - top1 < self.recipe.warmup.error:
            self.progress.warming_up = False
        self.progress.window = Window()

    def _stop_at_non_finite(self, result: StepResult, batch: Batch, epoch: int, lr: float) -> None:
        indices = [int(index) for index in batch.indices]
        finite_images = bool(torch.isfinite(batch.images).all())
        finite_weights = all(bool(torch.isfinite(each).all()) for each in self.network.parameters())
        if not finite_images:
            cause = "the batch itself holds values that are not finite; look at its images"
        elif self.clock.step == 0:
            cause = "it is the very first step, so the initialisation or the input scale is off"
        else:
            cause = f"the learning rate ({lr:g}) is probably too high; try --lr {lr / 10:g}"
        self.run.write_json(
            "nonfinite.json",
            {
                "step": self.clock.step,
                "epoch": epoch,
                "loss": str(result.loss),
                "lr": lr,
                "indices": indices,
                "finite_images": finite_images,
                "finite_weights": finite_weights,
            },
        )
        whole = checkpoints.newest_whole(self.run.checkpoints)
        raise NonFiniteLossError(
            f"the loss became {result.loss} at step {self.clock.step} (epoch {epoch}), in the batch of training "
            f"images {indices[:5]}… (all in {self.run.path / 'nonfinite.json'}); {cause}. "
            + (f"The last good checkpoint is kept: {whole}" if whole else "No checkpoint had been saved yet.")
        )

    # -- validation -------------------------------------------------------------------------------------

    @property
    def tested_network(self) -> Network:
        """The weights that validation and the final test use: the average, where there is one."""
        return cast(Network, self.average if self.average is not None else self.network)

    def validate(self, epoch: int) -> None:
        """Measure accuracy and loss on the validation split, one view an image."""
        if len(self.parts.val) == 0:
            return
        started = time.perf_counter()
        batches = eval_batches(self.parts.val, EVAL_BATCH, self.preprocess, self.device)
        probabilities, labels = predict_probabilities(
            self.tested_network, ((each.images, each.labels) for each in batches), PROTOCOLS["center"]
        )
        top1 = top_k_accuracy(probabilities, labels)
        loss = negative_log_likelihood(probabilities, labels)
        self.progress.val_errors.append(1 - top1)
        seconds = time.perf_counter() - started
        self.clock.spend(seconds)
        self.eval_seconds_per_image = seconds / len(labels)
        self.run.log(
            {
                "step": self.clock.step,
                "epoch": epoch,
                "split": "val",
                "loss": loss,
                "top1": top1,
                "seconds": self.clock.used_seconds,
            }
        )
        self.watch.validated(epoch, top1, loss)

    # -- checkpoints ------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint of this very step.

        Raises:
            CheckpointError: it could not be written; earlier checkpoints are untouched.
        """
        tensors = {
            "network": self.network.state_dict(),
            "optimizer": checkpoints.optimizer_tensors(self.optimizers),
        }
        if self.average is not None:
            tensors["average"] = self.average.state_dict()
        state = {
            "seed": self.seed,
            "clock": asdict(replace(self.clock, resolutions=())),
            "progress": asdict(self.progress),
            "scaler": self.scaler.state_dict(),
        }
        checkpoints.save(self.run.checkpoints, self.clock.step, checkpoints.Checkpoint(tensors, state))

    def restore(self, which: str) -> None:
        """Go back to a saved step: `last`, `auto` or a checkpoint's name.

        Raises:
            CheckpointError: there is no such checkpoint, or it is damaged.
        """
        found = checkpoints.choose(self.run.checkpoints, which)
        if found is None:
            self.run.drop_records_after(0)
            return
        saved = checkpoints.load(found)
        self.network.load_state_dict(saved.tensors["network"])
        if self.average is not None:
            self.average.load_state_dict(saved.tensors["average"])
        checkpoints.restore_optimizers(self.optimizers, saved.tensors.get("optimizer", {}))
        values: dict[str, Any] = dict(saved.state["progress"])
        self.progress = Progress(window=Window(**values.pop("window")), **values)
        self.clock = replace(Clock(**saved.state["clock"]), resolutions=self.recipe.resolutions)
        self.scaler.load_state_dict(saved.state["scaler"])
        self.run.drop_records_after(self.clock.step)


def fit(training: Training) -> None:
    """Train until the clock is done; save every `save_seconds`, at the end, and when asked to stop.

    Raises:
        InterruptedRunError: SIGINT or SIGTERM came; everything is saved.
        NonFiniteLossError: the loss is no number any more.
        CheckpointError: the final checkpoint could not be written.
    """
    saved_at = time.monotonic()
    with StopRequest() as stop:
        while not training.clock.done:
            training.step()
            if stop.name is not None:
                training.save()
                raise InterruptedRunError(
                    f"stopped by {stop.name} after step {training.clock.step}; all is saved. Go on with: "
                    f"cnnlab train --resume --run {training.run.path}"
                )
            if time.monotonic() - saved_at > training.save_seconds:
                _save_if_possible(training)
                saved_at = time.monotonic()
        training.save()


def _save_if_possible(training: Training) -> None:
    try:
        training.save()
    except CheckpointError as error:
        training.watch.said(f"warning: {error}")


def step_seed(seed: int, step: int) -> int:
    """The seed of torch's generators in a step: different for every step of every seed."""
    return (seed * 1_000_003 + step) % 2**63


def build_network(recipe: Recipe, parts: Parts, seed: int) -> Network:
    """The recipe's network for this data, initialised from `seed` alone."""
    torch.manual_seed(seed)
    in_channels = parts.train.images.shape[1]
    network = create_model(recipe.model, num_classes=len(parts.class_names), in_channels=in_channels)
    initialise(network, recipe.initialisation)
    return network
