"""The training loop: steps, validations and checkpoints, from a recipe to trained weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from cnnlab.data import augment
from cnnlab.data.loader import Batch, Weights
from cnnlab.data.parts import Parts
from cnnlab.errors import CheckpointError, DataError, InterruptedRunError, NonFiniteLossError, UsageError
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_accuracy
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.catalog import create_model
from cnnlab.models.device import place_network, return_freed_memory
from cnnlab.models.initialise import initialise
from cnnlab.models.layers import Network
from cnnlab.recipes.recipe import Ema, Recipe, WarmupUntilError
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.average import averaged_copy, new_share, update_average
from cnnlab.train.batches import TrainingBatches, image_channels
from cnnlab.train.clock import Clock, pixels_at
from cnnlab.train.freeze import Frozen, freeze
from cnnlab.train.losses import build_loss
from cnnlab.train.memory import Fits, batch_trial, does_not_fit, is_out_of_memory
from cnnlab.train.optim import build_optimizers, in_use, set_lr, slow_body, start_at_rest
from cnnlab.train.patience import waited_epochs
from cnnlab.train.precision import resolve_precision
from cnnlab.train.pretrained import Source, load_pretrained
from cnnlab.train.record import FLOW, RunFolder, read_records
from cnnlab.train.schedule import lr_factor, warmup_factor
from cnnlab.train.signals import StopRequest
from cnnlab.train.step import Forward, Rule, StepResult, plain_forward, train_step
from cnnlab.train.watch import Moment, StepWatch, Watch, WatchSteps
from cnnlab.types import Preprocess

LOG_STEPS = 20  # steps a training record sums up
CALIBRATION_IMAGES = 5_000  # training images a network may look at before the first step


@dataclass
class Window:
    """Sums over the steps since the last record."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    aux_losses: dict[str, float] = field(default_factory=dict)

    def add(self, result: StepResult, images: int, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self.images += images
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
    images_seen: int = 0
    step_seconds: float = 0.0
    averaged: int = 0  # steps whose weights the average holds


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
        epochs: float | None = None,
        pretrained: Source | None = None,
        frozen: str | None = None,
        unfreeze_at: float | None = None,
        layer_lr: float | None = None,
        patience: int | None = None,
        class_weights: Tensor | None = None,
        image_weights: Weights | None = None,
        max_bad: float = 0.01,
        watch_steps: WatchSteps | None = None,
    ) -> None:
        """Build all that a training changes, from `seed` alone; `epochs` stretches the recipe to another length.

        Raises:
            UsageError: the recipe does not fit the network or the data, or there is nothing to be patient about.
            DataError: a label is outside the classes.
        """
        check_labels(parts)
        if patience is not None and not len(parts.val):
            raise UsageError(
                f"--patience {patience} watches the validation error, and {parts.name} is left without validation "
                "images (by --final, or by the recipe's val_images=0); leave out the one or the other"
            )
        self.recipe, self.parts, self.preprocess, self.run, self.watch = recipe, parts, preprocess, run, watch
        self.seed, self.device, self.save_seconds = seed, device, save_seconds
        self.batches = TrainingBatches(
            recipe, parts, preprocess, seed=seed, device=device, weights=image_weights, max_bad=max_bad
        )
        self.full_pixels = self.batches.pixels
        self.network = build_network(recipe, parts, seed)
        if pretrained is not None:
            watch.said(load_pretrained(self.network, recipe.model, pretrained, parts.class_names, recipe.start))
        self.network = place_network(self.network, device)
        if pretrained is None:
            self._calibrate()
        self.frozen = freeze(self.network, frozen) if frozen is not None else Frozen()
        self.unfreeze_at = unfreeze_at
        if unfreeze_at is not None:
            self.frozen.release()  # the optimizers below know of what is to be trained later
        self.average = averaged_copy(self.network) if recipe.average else None
        self.patience = patience
        self.best = averaged_copy(self.network) if patience is not None else None
        self.plain_forward = build_forward(recipe, self.network, compiled=False)
        self.forward = build_forward(recipe, self.network, compiled) if compiled else self.plain_forward
        self.optimizers = build_optimizers(
            recipe.optimizer,
            self.network,
            decay_norms_and_biases=recipe.decay_norms_and_biases,
            multiply=(*recipe.multiply, *(slow_body(self.network, layer_lr) if layer_lr is not None else ())),
        )
        if unfreeze_at is not None:
            start_at_rest(self.optimizers, self.frozen.parameters)
        self.rule = Rule(
            loss=build_loss(recipe.loss, label_smoothing=recipe.label_smoothing, class_weights=class_weights),
            precision=resolve_precision(recipe.precision, device),
            aux_weight=recipe.aux_weight,
            pieces=recipe.accumulate,
            clip=recipe.clip,
        )
        self.scaler = self.rule.precision.scaler()
        steps_per_epoch = self.batches.steps_per_epoch
        self.recipe_steps = recipe.steps or max(1, round((recipe.epochs or 0) * steps_per_epoch))
        budget = minutes or (recipe.cpu_minutes if device.type == "cpu" else None)
        self.clock = Clock(
            max(1, round(epochs * steps_per_epoch)) if epochs else self.recipe_steps,
            recipe.resolutions,
            budget_seconds=budget * 60 if budget else None,
            stretch=minutes is not None,
        )
        self.progress = Progress(warming_up=isinstance(recipe.warmup, WarmupUntilError))
        self.eval_seconds_per_image: float | None = None  # of one view, once a validation has been timed
        self.unreadable: list[str] = []  # photos left out so far, each with its reason
        self._max_bad = max_bad
        self._watch_steps = watch_steps
        self._step_watch: StepWatch | None = None

    def _calibrate(self) -> None:
        if type(self.network).calibrate is not Network.calibrate:
            self.network.calibrate(self.batches.sample(CALIBRATION_IMAGES))

    # -- one step ---------------------------------------------------------------------------------------

    def step(self) -> StepResult:
        """Take one step, and what is due after it: a record, a validation; returns what came of the update."""
        started = time.perf_counter()
        epoch, position = divmod(self.clock.step, self.batches.steps_per_epoch)
        torch.manual_seed(step_seed(self.seed, self.clock.step))  # dropout: a function of the step alone
        lr = self._set_lr()
        batch, pixels, result = self._update_within_memory(epoch, position)
        if not result.finite:
            self._stop_at_non_finite(result, batch, epoch, lr)
        self._update_average()
        seconds = time.perf_counter() - started
        self.clock.tick(seconds, self.full_pixels, self._test_seconds())
        self._account(result, len(batch.labels), seconds, epoch, lr, pixels)
        if position + 1 == self.batches.steps_per_epoch or self.clock.done:
            self.validate(epoch)
        if self.done and self.progress.window.steps:  # out of patience
            self._log_window(epoch, lr)
        return result

    @property
    def done(self) -> bool:
        """Whether no step is left, or patience with the validation error is at its end."""
        return self.clock.done or (
            self.patience is not None and waited_epochs(self.progress.val_errors) >= self.patience
        )

    def hold_frozen(self) -> None:
        """Keep what is frozen out of the next step, or take it in once that is due."""
        if self.unfreeze_at is not None and self.clock.share >= self.unfreeze_at:
            self.frozen.release()
        else:
            self.frozen.hold()

    def _update_within_memory(self, epoch: int, position: int) -> tuple[Batch, int, StepResult]:
        """The update; where memory runs out the training ends, with a batch size that fits."""
        try:
            return self._update(epoch, position)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Out here nothing holds the failed step's tensors any more.
        self.watch.said("out of memory; trying smaller batches")
        if self.clock.step == 0:
            self.run.forget_start()
        return_freed_memory()
        raise does_not_fit(self.recipe, self.device, self.batch_trial())

    def _update(self, epoch: int, position: int) -> tuple[Batch, int, StepResult]:
        """One update of the weights: the batch, the pixels of its images' sides, and what came of it."""
        batch = self.batches.batch(epoch, position)
        pixels = pixels_at(self.recipe.resolutions, self.clock.share, self.full_pixels)
        images = batch.images if pixels == self.full_pixels else augment.downsample(batch.images, pixels)
        self.hold_frozen()
        look = self._step_watch = self._step_watch or self._new_step_watch()
        if look is not None and look.samples(self.clock.step):
            return batch, pixels, self._watched(look, images, batch.labels)
        return batch, pixels, self.train_step(self.forward, images, batch.labels)

    def _new_step_watch(self) -> StepWatch | None:
        """What looks into the network at some steps; it takes up what a run that goes on saw before."""
        if self._watch_steps is None:
            return None
        return self._watch_steps(
            self.network,
            num_classes=len(self.parts.class_names),
            steps=self.clock.total_steps,
            earlier=read_records(self.run.path, FLOW),
            record=self.run.log_flow,
            say=self.watch.said,
        )

    def _watched(self, look: StepWatch, images: Tensor, labels: Tensor) -> StepResult:
        """The update that `look` looks into; hooks do not run inside `torch.compile`."""
        step, gradient_scale = self.clock.step, self.scaler.get_scale()
        look.before_step(step)
        try:
            result = self.train_step(self.plain_forward, images, labels)
            if result.finite:
                top1 = result.correct / len(labels)
                look.after_step(step, loss=result.loss, top1=top1, gradient_scale=gradient_scale)
        finally:
            look.close()
        return result

    def train_step(self, forward: Forward, images: Tensor, labels: Tensor) -> StepResult:
        """Update the weights on images (N, C, H, W) and labels by the recipe's rule, at the rates that are set."""
        return train_step(self.network, forward, images, labels, in_use(self.optimizers), self.scaler, self.rule)

    def draw_flow(self, title: str) -> None:
        """Draw what was looked into as `flow.png` of the run folder; nothing where nothing was."""
        if self._step_watch is not None:
            self._step_watch.draw(self.run.path / "flow.png", title=title)

    def batch_trial(self) -> Fits:
        """A trial of whether a batch of another size fits; it changes the running statistics of the network."""
        image = self.batches.blank_image()
        return batch_trial(self.network, self.plain_forward, self.rule, image, len(self.parts.class_names))

    def _test_seconds(self) -> float:
        """What the last validation and the reading of the test part will take, which a time budget leaves room for."""
        forward = self.clock.unit_seconds / self.recipe.batch_size / 3  # a step is a forward pass and twice that back
        views = len(PROTOCOLS[self.recipe.protocol].views)
        tested = len(self.parts.test) if self.parts.test is not None else 0
        return (self.eval_seconds_per_image or forward) * (len(self.parts.val) + views * tested)

    def _set_lr(self) -> float:
        recipe, step = self.recipe, self.recipe_steps * self.clock.share
        steps_per_epoch = self.recipe_steps_per_epoch
        factor = lr_factor(
            recipe.schedule,
            step,
            self.recipe_steps,
            steps_per_epoch=steps_per_epoch,
            val_errors=self.progress.val_errors,
        )
        if isinstance(recipe.warmup, WarmupUntilError):
            factor *= recipe.warmup.factor if self.progress.warming_up else 1.0
        elif recipe.warmup is not None:
            factor *= warmup_factor(recipe.warmup, step, steps_per_epoch=steps_per_epoch)
        set_lr(self.optimizers, factor)
        return recipe.optimizer.lr * factor

    @property
    def recipe_steps_per_epoch(self) -> float:
        """Of the recipe's own steps, however long this run is."""
        return self.recipe_steps / self.recipe.epochs if self.recipe.epochs else self.batches.steps_per_epoch

    def _update_average(self) -> None:
        kind, progress = self.recipe.average, self.progress
        if self.average is None or kind is None:
            return
        if isinstance(kind, Ema) or self.clock.share >= kind.from_share:
            update_average(self.average, self.network, new_share(kind, self.clock.step + 1, progress.averaged))
            progress.averaged += 1

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
                **{f"loss_{name}": loss / window.steps for name, loss in window.aux_losses.items()},
                "top1": top1,
                "lr": lr,
                "images_per_second": window.images / window.seconds,
                "seconds": self.clock.used_seconds,
            }
        )
        if isinstance(self.recipe.warmup, WarmupUntilError) and 1 - top1 < self.recipe.warmup.error:
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
                "aux_losses": {name: str(loss) for name, loss in result.aux_losses.items()},
                "lr": lr,
                "indices": indices,
                "finite_images": finite_images,
                "finite_weights": finite_weights,
            },
        )
        whole = checkpoints.newest_whole(self.run.checkpoints)
        raise NonFiniteLossError(
            f"{_not_finite(result)} at step {self.clock.step} (epoch {epoch}), in the batch of training "
            f"images {indices[:5]}… (all in {self.run.path / 'nonfinite.json'}); {cause}. "
            + (f"The last good checkpoint is kept: {whole}" if whole else "No checkpoint had been saved yet.")
        )

    # -- validation -------------------------------------------------------------------------------------

    @property
    def tested_network(self) -> Network:
        """The weights that validation and the final test use: the average, where there is one."""
        return cast(Network, self.average if self.average is not None and self.progress.averaged else self.network)

    @property
    def final_network(self) -> Network:
        """The weights that the run ends with: with patience those of the best epoch, else those last tested."""
        return cast(Network, self.best) if self.best is not None else self.tested_network

    def validate(self, epoch: int) -> None:
        """Measure accuracy and loss on the validation split, one view an image; with patience keep the best weights."""
        if len(self.parts.val) == 0:
            return
        started = time.perf_counter()
        found = predict_part(
            self.tested_network,
            self.parts.val,
            PROTOCOLS["center"],
            self.preprocess,
            self.device,
            max_bad=self._max_bad,
        )
        self._name_unreadable(found.bad)
        top1 = top_k_accuracy(found.probabilities, found.labels)
        loss = negative_log_likelihood(found.probabilities, found.labels)
        self.progress.val_errors.append(1 - top1)
        if self.best is not None and waited_epochs(self.progress.val_errors) == 0:
            self.best.load_state_dict(self.tested_network.state_dict())
        seconds = time.perf_counter() - started
        self.clock.spend(seconds)
        self.eval_seconds_per_image = seconds / len(found.labels)
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

    def _name_unreadable(self, of_val: Sequence[str]) -> None:
        """Say which photos could not be read so far, each once; training goes on with others in their places."""
        for reason in (*self.batches.unreadable, *of_val):
            if reason not in self.unreadable:
                self.unreadable.append(reason)
                self.watch.said(f"left out: {reason}")

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
        if self.best is not None:
            tensors["best"] = self.best.state_dict()
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
        if self.best is not None:
            self.best.load_state_dict(saved.tensors["best"])
        checkpoints.restore_optimizers(self.optimizers, saved.tensors.get("optimizer", {}))
        values: dict[str, Any] = dict(saved.state["progress"])
        self.progress = Progress(window=Window(**values.pop("window")), **values)
        self.clock = replace(Clock(**saved.state["clock"]), resolutions=self.recipe.resolutions)
        self.scaler.load_state_dict(saved.state["scaler"])
        self.run.drop_records_after(self.clock.step)


def fit(training: Training) -> None:
    """Train until it is done; save every `save_seconds`, at the end, and when asked to stop.

    Raises:
        InterruptedRunError: SIGINT or SIGTERM came; everything is saved.
        NonFiniteLossError: the loss is no number any more.
        CheckpointError: the final checkpoint could not be written.
    """
    saved_at = time.monotonic()
    with StopRequest() as stop:
        while not training.done:
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


def _not_finite(result: StepResult) -> str:
    """Which loss is no number any more."""
    if not math.isfinite(result.loss):
        return f"the loss became {result.loss}"
    name, loss = next((name, loss) for name, loss in result.aux_losses.items() if not math.isfinite(loss))
    return f"the loss of the auxiliary head {name} became {loss}"


def step_seed(seed: int, step: int) -> int:
    """The seed of torch's generators in a step: different for every step of every seed."""
    return (seed * 1_000_003 + step) % 2**63


def build_network(recipe: Recipe, parts: Parts, seed: int) -> Network:
    """The recipe's network for this data, initialised from `seed` alone."""
    torch.manual_seed(seed)
    options = {} if recipe.dropout is None else {"dropout": recipe.dropout}
    network = create_model(
        recipe.model, num_classes=len(parts.class_names), in_channels=image_channels(parts), **options
    )
    initialise(network, recipe.initialisation, std=recipe.initialisation_std)
    return network


def build_forward(recipe: Recipe, network: Network, compiled: bool) -> Forward:
    """How a step runs the network: compiled or not, with its auxiliary heads where the recipe weighs them.

    Raises:
        UsageError: the recipe weighs auxiliary heads, and the network has none.
    """
    if not recipe.aux_weight:
        return plain_forward(cast(nn.Module, torch.compile(network)) if compiled else network)
    if not getattr(network, "aux_heads", False):
        raise UsageError(
            f"recipe {recipe.name} weighs auxiliary heads by {recipe.aux_weight:g}, and {recipe.model} has none; "
            "add --set aux_weight=0"
        )
    return torch.compile(network.forward_with_aux) if compiled else network.forward_with_aux


def check_labels(parts: Parts) -> None:
    """Refuse labels outside the classes, before a GPU does in its own words.

    Raises:
        DataError: names the first such image.
    """
    classes = len(parts.class_names)
    for split, part in (("train", parts.train), ("val", parts.val), ("test", parts.test)):
        outside = [] if part is None else ((part.labels < 0) | (part.labels >= classes)).nonzero().flatten().tolist()
        if part is not None and outside:
            raise DataError(
                f"{split} image {outside[0]} has the label {int(part.labels[outside[0]])}, and there are {classes} "
                f"classes, 0 to {classes - 1}; {len(outside)} such images in all"
            )
