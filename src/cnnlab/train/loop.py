"""The training loop: steps, validations and checkpoints, from a recipe to trained weights."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from cnnlab.data import augment
from cnnlab.data.loader import Batch, Weights
from cnnlab.data.parts import Parts
from cnnlab.errors import CheckpointError, InterruptedRunError, UsageError, command
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_accuracy
from cnnlab.evaluate.predict import Outcome
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.models.device import place_network, return_freed_memory
from cnnlab.models.layers import Network
from cnnlab.models.precision import resolve_precision
from cnnlab.recipes.recipe import Ema, Plateau, Recipe, WarmupUntilError
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.average import new_share, update_average
from cnnlab.train.bad_step import STOP, OnBadStep, what_is_wrong
from cnnlab.train.batches import TrainingBatches
from cnnlab.train.build import build_forward, build_network, build_proxy_network, check_labels, step_seed
from cnnlab.train.clock import Clock, phases_of, pixels_at
from cnnlab.train.distributed import ALONE_TEAM, Team, refuse_several
from cnnlab.train.freeze import Frozen, freeze
from cnnlab.train.graphed import AHEAD_STEPS, GraphedStep, Reading, use_graphs, why_not
from cnnlab.train.hardest import Proxy
from cnnlab.train.learning import Learning, guess_loss
from cnnlab.train.leave_out import leave_out
from cnnlab.train.losses import build_loss
from cnnlab.train.memory import Fits, batch_trial, does_not_fit, is_out_of_memory, norms_have_values
from cnnlab.train.optim import build_optimizers, in_use, set_lr, slow_body, start_at_rest
from cnnlab.train.patience import waited_epochs
from cnnlab.train.pretrained import Source, load_pretrained, warn_of_seen, warn_of_seen_photos
from cnnlab.train.progress import Progress, Window
from cnnlab.train.record import FLOW, RunFolder, read_records
from cnnlab.train.saver import Saver
from cnnlab.train.schedule import lr_factor, warmup_factor
from cnnlab.train.signals import StopRequest
from cnnlab.train.state import KeptBuffers, put_back, snapshot
from cnnlab.train.step import Forward, Rule, StepResult, clear_gradients, train_step
from cnnlab.train.watch import Moment, StepWatch, Watch, WatchSteps
from cnnlab.types import Preprocess

LOG_STEPS = 20  # steps a training record sums up
VALIDATION_STEPS = 20  # between two validations at least, of trainings of more than so many epochs:
SHOWN_VALIDATIONS = 40
CALIBRATION_IMAGES = 5_000  # training images a network may look at before the first step


@dataclass(frozen=True)
class Begun:
    """A step whose update has been begun and not yet read, with what ends it; clocks and averaged steps around it."""

    epoch: int
    lr: float
    pixels: int
    seconds: float
    before: Clock
    after: Clock
    averaged: int
    reading: Reading


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
        on_bad_step: OnBadStep = STOP,
        keep: int = 2,
        workers: int = 0,
        gpu_jpegs: bool = False,
        graphs: bool | None = False,
        team: Team = ALONE_TEAM,
    ) -> None:
        """Build all that a training changes, from `seed` alone; `epochs` stretches the recipe to another length.

        With `graphs` steps are begun and read later (`graphed`); None leaves it to the device and the recipe.

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
        self.team = team
        if recipe.batch_size < team.world.size:
            raise UsageError(f"a batch of {recipe.batch_size} images has none for some of {team.world.size} processes")
        self.batches = TrainingBatches(
            recipe,
            parts,
            preprocess,
            seed=seed,
            device=device,
            weights=image_weights,
            max_bad=max_bad,
            workers=workers,
            gpu_jpegs=gpu_jpegs,
            world=team.world,
        )
        for note in self.batches.notes:
            watch.said(note)
        self.full_pixels = self.batches.pixels
        self.network = build_network(recipe, parts, seed)
        self.first_look = False  # whether the weights that it starts from can be validated before the first step
        if pretrained is not None:
            started = load_pretrained(self.network, recipe.model, pretrained, parts.class_names, recipe.start)
            watch.said(started.said)
            self.first_look = started.whole
            if started.whole and (warning := warn_of_seen(pretrained, parts.name, parts.class_names)) is not None:
                watch.said(f"warning: {warning}")
            if (warning := warn_of_seen_photos(pretrained, parts)) is not None:
                watch.said(f"warning: {warning}")
        self.network = team.with_synced_norms(place_network(self.network, device))
        if pretrained is None:
            self._calibrate()
        team.share_out(self.network)
        self.frozen = freeze(self.network, frozen) if frozen is not None else Frozen()
        self.unfreeze_at = unfreeze_at
        if unfreeze_at is not None:
            self.frozen.release()  # the optimizers below know of what is to be trained later
        # Before anything is copied from the network: all processes take over rank 0's weights here.
        self.plain_forward = build_forward(recipe, self.network, False, team, unused=unfreeze_at is not None)
        self.forward = build_forward(recipe, self.network, True, team) if compiled else self.plain_forward
        self.statistics = KeptBuffers(self.network)
        self.average = team.copy_of(self.network) if recipe.average else None
        self.patience = patience
        self.best = team.copy_of(self.network) if patience is not None else None
        precision = resolve_precision(recipe.precision, device)
        self.optimizers = build_optimizers(
            recipe.optimizer,
            self.network,
            decay_norms_and_biases=recipe.decay_norms_and_biases,
            multiply=(*recipe.multiply, *(slow_body(self.network, layer_lr) if layer_lr is not None else ())),
            half=precision.half,
            fused_sgd=team.fused_sgd,
        )
        if unfreeze_at is not None:
            start_at_rest(self.optimizers, self.frozen.parameters)
        self.rule = Rule(
            loss=build_loss(recipe.loss, label_smoothing=recipe.label_smoothing, class_weights=class_weights),
            precision=precision,
            aux_weight=recipe.aux_weight,
            pieces=recipe.accumulate,
            clip=recipe.clip,
            batch_size=recipe.batch_size,
            team=team,
        )
        self.proxy = self._build_proxy()
        self.scaler = self.rule.precision.scaler()
        steps_per_epoch = self.batches.steps_per_epoch
        self.recipe_steps = recipe.steps or max(1, round((recipe.epochs or 0) * steps_per_epoch))
        budget = minutes or (recipe.cpu_minutes if device.type == "cpu" else None)
        self.clock = Clock(
            max(1, round(epochs * steps_per_epoch)) if epochs else self.recipe_steps,
            phases_of(recipe, self.full_pixels),
            budget_seconds=budget * 60 if budget else None,
            stretch=minutes is not None,
        )
        self.progress = Progress(warming_up=isinstance(recipe.warmup, WarmupUntilError))
        self.learning = Learning(
            guess_loss(
                recipe,
                parts.train.labels,
                len(parts.class_names),
                class_weights=class_weights,
                image_weights=image_weights,
            )
        )
        self.eval_seconds_per_image: float | None = None  # of one view, once a validation has been timed
        self.unreadable: list[str] = []  # photos left out so far, each with its reason
        self.damaged: list[str] = []  # photos used so far that are damaged, each with its reason
        self.on_bad_step = on_bad_step
        refused = why_not(recipe, self.network, precision, on_bad_step, team.world.size)
        self.graphed: GraphedStep | None = None
        if use_graphs(graphs, device, refused):
            changed = (self.network, self.forward, self.optimizers, self.scaler, self.rule, self.average)
            self.graphed = GraphedStep(*changed, device)
        self._begun: deque[Begun] = deque()
        self._warmed: set[Hashable] | None = set() if compiled or self.graphed is not None else None
        self.saver = Saver(run.checkpoints, keep=keep, logs=run.logs)
        self._max_bad = max_bad
        self._watch_steps = watch_steps
        self._step_watch: StepWatch | None = None

    def _calibrate(self) -> None:
        if type(self.network).calibrate is not Network.calibrate:
            self.network.calibrate(self.batches.sample(CALIBRATION_IMAGES))

    def _build_proxy(self) -> Proxy | None:
        """The small network that finds the hardest images of a batch, where the recipe wants those."""
        recipe = self.recipe
        if recipe.hardest is None:
            return None
        refuse_several(self.team.world, "training on the hardest images (or add --set hardest=null)")
        self.watch.said(recipe.batches)
        network = build_proxy_network(recipe.hardest, self.parts, self.seed)
        network.calibrate(self.batches.sample(CALIBRATION_IMAGES))
        return Proxy(recipe, recipe.hardest, place_network(network, self.device), self.rule.precision)

    # -- one step ---------------------------------------------------------------------------------------

    def step(self) -> list[StepResult]:
        """Take one step, and what is due after it: a record, a validation.

        Returns:
            What came of the updates that are over by now: of this one; where steps are begun and read later, of none,
            or of some before it.
        """
        if self.graphed is None or not self.graphed.knows(self._shape()) or self._looked_into():
            return [*self.end_steps(), self._take()]
        return self._begin(self.graphed)

    def _take(self) -> StepResult:
        """Take one step, and read what came of it before anything changes."""
        started = time.perf_counter()
        epoch = self.clock.step // self._epoch_steps
        warms_up = self._warms_up()
        lr = self.prepare_step()
        batch, pixels, result = self._update_within_memory()
        wrong = self._what_is_wrong(result)
        if wrong is None:
            self._update_average()
        else:
            leave_out(self, wrong, batch, epoch, lr)
        seconds = self.team.of_first(time.perf_counter() - started)
        self.clock.tick(seconds, self._test_seconds(), warms_up=warms_up)
        if wrong is None:
            self._account(result, self.clock, seconds, epoch, lr, pixels, warms_up=warms_up)
        self._end_epoch(epoch, lr)
        return result

    def _begin(self, graphed: GraphedStep) -> list[StepResult]:
        """Begin one step, and end those before it whose turn it is; all, where something depends on them."""
        started = time.perf_counter()
        waits = self.clock.budget_seconds is not None or self.progress.warming_up  # for the time, for the error
        results = self._end_steps(0 if waits else AHEAD_STEPS - 1)
        if not graphed.knows(self._shape()):  # the training has gone back to a checkpoint
            return [*results, self._take()]
        before, averaged, epoch = replace(self.clock), self.progress.averaged, self.clock.step // self._epoch_steps
        lr = self.prepare_step()
        batch, images, pixels = self.images_of_step()
        reading = graphed.begin(self._shape(), *self.trained_on(images, batch.labels), self._take_share())
        self._proxy_learns()
        seconds = time.perf_counter() - started
        self.clock.tick(seconds, self._test_seconds())
        self._begun.append(Begun(epoch, lr, pixels, seconds, before, replace(self.clock), averaged, reading))
        if waits or self.clock.done or self.clock.step % self._epoch_steps == 0:
            results += self.end_steps()
        self._end_epoch(epoch, lr)
        return results

    def end_steps(self) -> list[StepResult]:
        """Wait for all steps that have been begun; the time is theirs."""
        started = time.perf_counter()
        results = self._end_steps(0)
        if results:
            seconds = time.perf_counter() - started
            self.progress.step_seconds += seconds
            self.progress.window.seconds += seconds
            self.clock.spend(seconds)
        return results

    def _end_steps(self, left: int) -> list[StepResult]:
        """Read the oldest of the steps that have been begun until no more than `left` are."""
        results = []
        while len(self._begun) > left:
            begun = self._begun.popleft()
            results.append(begun.reading.result())
            wrong = self._what_is_wrong(results[-1])
            if wrong is not None:
                self._go_back(begun, wrong)
            else:
                self._account(results[-1], begun.after, begun.seconds, begun.epoch, begun.lr, begun.pixels)
        return results

    def _go_back(self, begun: Begun, wrong: str) -> None:
        """Leave a bad step out: it changed nothing, and those begun after it neither, so they are taken again."""
        assert self.graphed is not None
        self._begun.clear()
        self.graphed.go_on()
        self.clock, self.progress.averaged = replace(begun.before), begun.averaged
        batch = self.batches.batch(*divmod(self.clock.step, self._epoch_steps))
        leave_out(self, wrong, batch, begun.epoch, begun.lr)
        self.clock.tick(begun.seconds, self._test_seconds())

    def _end_epoch(self, epoch: int, lr: float) -> None:
        """Validate where an epoch, or the training, is over; with the training the last record is written."""
        if (self.clock.step % self._epoch_steps == 0 and (epoch + 1) % self._epochs_apart == 0) or self.clock.done:
            self.validate(epoch)
        if self.done and self.progress.window.steps:  # out of patience, or the last step was left out
            self._log_window(self.clock, epoch, lr)

    @property
    def _epoch_steps(self) -> int:
        return self.batches.steps_per_epoch

    @property
    def _epochs_apart(self) -> int:
        """Epochs between two validations: one, but more of a few steps each where nothing waits for a validation."""
        waits = self.patience is not None or isinstance(self.recipe.schedule, Plateau)
        if waits or self.clock.total_steps <= SHOWN_VALIDATIONS * self._epoch_steps:
            return 1
        return max(1, VALIDATION_STEPS // self._epoch_steps)

    def _shape(self) -> Hashable:
        """What the next step's batch has in common with others of its shape that are trained alike."""
        share = self.clock.share
        pixels = pixels_at(self.recipe.resolutions, share, self.full_pixels)
        return pixels, self.recipe.trained_images(share), self.unfreeze_at is not None and share >= self.unfreeze_at

    def _warms_up(self) -> bool:
        """Whether the next step is the first of its shape where that is compiled or captured, and so takes long."""
        if self._warmed is None or self._shape() in self._warmed or self._looked_into():
            return False
        self._warmed.add(self._shape())
        return True

    def _looked_into(self) -> bool:
        """Whether something looks into the network in the next step, which then is taken plainly."""
        self._step_watch = self._step_watch or self._new_step_watch()
        return self._step_watch is not None and self._step_watch.samples(self.clock.step)

    def prepare_step(self) -> float:
        """Set what step and rank decide: the random numbers of dropout, what is frozen, and the rate, returned."""
        torch.manual_seed(step_seed(self.seed, self.clock.step, self.team.world.rank))
        self.team.stepped(self.clock.step)
        self.hold_frozen()
        return self._set_lr()

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

    def _update_within_memory(self) -> tuple[Batch, int, StepResult]:
        """The update; where memory runs out the training ends, with a batch size that fits."""
        try:
            return self._update()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Out here nothing holds the failed step's tensors any more.
        self.watch.said("out of memory; trying smaller batches")
        if self.clock.step == 0:
            self.run.forget_start()
        return_freed_memory()
        raise does_not_fit(self.recipe, self.device, self.batch_trial())

    def _update(self) -> tuple[Batch, int, StepResult]:
        """One update of the weights: the batch, the pixels of its images' sides, and what came of it."""
        batch, images, pixels = self.images_of_step()
        images, labels = self.trained_on(images, batch.labels)
        if self._looked_into() and self._step_watch is not None:
            result = self._watched(self._step_watch, images, labels)
        else:
            result = self.train_step(self.forward, images, labels)
            if self.graphed is not None and self._is_good(result):
                self._prepare(self.graphed, images, labels)
        if self._is_good(result):
            self._proxy_learns()
        return batch, pixels, result

    def _prepare(self, graphed: GraphedStep, images: Tensor, labels: Tensor) -> None:
        """Get ready to begin steps like the one just taken; where that fails they are taken one by one."""
        try:
            graphed.prepare(self._shape(), images, labels)
        except RuntimeError as error:
            clear_gradients(self.optimizers)
            self.graphed = None
            self.watch.said(f"steps are taken one by one, as no CUDA graph can be made of them: {error}")

    def images_of_step(self) -> tuple[Batch, Tensor, int]:
        """The batch of the next step, its images (N, C, H, W) at the size they are trained at, and that size."""
        batch = self.batches.batch(*divmod(self.clock.step, self._epoch_steps))
        pixels = pixels_at(self.recipe.resolutions, self.clock.share, self.full_pixels)
        small = pixels != self.full_pixels
        return batch, augment.downsample(batch.images, pixels) if small else batch.images, pixels

    def trained_on(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the next step's images (N, C, H, W) and labels it is trained on: all, or the hardest."""
        if self.proxy is None:
            return images, labels
        return self.proxy.choose(images, labels, self.recipe.trained_images(self.clock.share), self.clock.step)

    def _proxy_learns(self) -> None:
        if self.proxy is not None:
            self.proxy.learn()

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
            if self._is_good(result):
                top1 = result.correct / result.images
                look.after_step(step, loss=result.loss, top1=top1, gradient_scale=gradient_scale)
        finally:
            look.close()
        return result

    def train_step(self, forward: Forward, images: Tensor, labels: Tensor) -> StepResult:
        """Update the weights on images (N, C, H, W) and labels by the recipe's rule, at the rates that are set.

        A bad step leaves the network as it was.
        """
        self.statistics.keep()
        used, good = in_use(self.optimizers), self._is_good
        with norms_have_values(self.recipe):
            result = train_step(self.network, forward, images, labels, used, self.scaler, self.rule, good)
        if good(result):
            self.team.average_statistics(self.network)
        else:
            self.statistics.put_back()
        return result

    def pass_through(self) -> None:
        """A forward and backward pass of the next step's images that changes nothing; see `Team.settle`."""
        self.statistics.keep()
        _, images, _ = self.images_of_step()
        logits, aux_logits = self.plain_forward(images)
        total = sum((each.sum() for each in aux_logits.values()), logits.sum())
        total.backward()  # type: ignore[no-untyped-call]
        clear_gradients(self.optimizers)
        self.statistics.put_back()

    def _what_is_wrong(self, result: StepResult) -> str | None:
        return what_is_wrong(result, self.progress.recent, self.on_bad_step.spike)

    def _is_good(self, result: StepResult) -> bool:
        return self._what_is_wrong(result) is None

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
        forward = self.clock.unit_seconds / self.recipe.batch_size / 3  # a step: forward, and twice that back
        forward *= 2 if self.rule.precision.half and self.recipe.test_precision == "fp32" else 1
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
        set_lr(self.proxy.optimizers if self.proxy is not None else (), factor)
        return recipe.optimizer.lr * factor

    @property
    def recipe_steps_per_epoch(self) -> float:
        """Of the recipe's own steps, however long this run is."""
        return self.recipe_steps / self.recipe.epochs if self.recipe.epochs else self.batches.steps_per_epoch

    def _update_average(self) -> None:
        share = self._take_share()
        if self.average is not None and share:
            update_average(self.average, self.network, share)

    def _take_share(self) -> float:
        """How much of the average the weights after this step become, 0 for none; counts the step as averaged."""
        kind, progress = self.recipe.average, self.progress
        if kind is None or not (isinstance(kind, Ema) or self.clock.share >= kind.from_share):
            return 0.0
        progress.averaged += 1
        return new_share(kind, self.clock.step + 1, progress.averaged - 1)

    def _account(
        self,
        result: StepResult,
        clock: Clock,
        seconds: float,
        epoch: int,
        lr: float,
        pixels: int,
        *,
        warms_up: bool = False,
    ) -> None:
        """Count a good step that ended at `clock`; the time of one that warms up is not that of its images."""
        progress, window = self.progress, self.progress.window
        window.add(result, seconds)
        progress.images_trained += result.images
        if self.on_bad_step.spike is not None:
            progress.remember(result)
        if warms_up:
            progress.compile_seconds += seconds
        else:
            progress.images_seen += result.images
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
                seconds_left=clock.seconds_left(),
            )
        )
        if window.steps == LOG_STEPS or clock.done:
            self._log_window(clock, epoch, lr)

    def _log_window(self, clock: Clock, epoch: int, lr: float) -> None:
        window = self.progress.window
        top1 = window.correct / window.images
        self.run.log(
            {
                "step": clock.step,
                "epoch": epoch,
                "split": "train",
                "loss": window.loss / window.steps,
                **{f"loss_{name}": loss / window.steps for name, loss in window.aux_losses.items()},
                "top1": top1,
                "lr": lr,
                "images_per_second": window.images / window.seconds,
                "seconds": clock.used_seconds,
            }
        )
        if isinstance(self.recipe.warmup, WarmupUntilError) and 1 - top1 < self.recipe.warmup.error:
            self.progress.warming_up = False
        self.learning.add(clock.step, window.loss / window.steps)
        doubt = self.learning.doubt(clock.step, clock.share)
        if doubt is not None:
            self.watch.said(doubt)
        self.progress.window = Window()

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
        found = self._answer_val()
        top1 = top_k_accuracy(found.probabilities, found.labels)
        loss = negative_log_likelihood(found.probabilities, found.labels)
        self.progress.val_errors.append(1 - top1)
        self.progress.validated_step = self.clock.step
        if self.best is not None and waited_epochs(self.progress.val_errors) == 0:
            self.best.load_state_dict(self.tested_network.state_dict())
        seconds = self.team.of_first(time.perf_counter() - started)
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

    def _answer_val(self) -> Outcome:
        with resolve_precision(self.recipe.test_precision, self.device).autocast():
            found = self.team.predict_part(
                self.tested_network,
                self.parts.val,
                PROTOCOLS["center"],
                self.preprocess,
                self.device,
                max_bad=self._max_bad,
            )
        self._name_unreadable(found.bad)
        return found

    def look_first(self) -> None:
        """Say how good the weights are that it starts from, on the validation split, before the first step."""
        if len(self.parts.val) == 0 or not self.first_look or self.clock.step:
            return
        started = time.perf_counter()
        found = self._answer_val()
        top1 = top_k_accuracy(found.probabilities, found.labels)
        self.clock.spend(self.team.of_first(time.perf_counter() - started))
        self.watch.said(
            f"before the first step: validation accuracy {100 * top1:.2f}% of {len(found.labels):,} images; much less "
            "than the weights are known for means another network or other preprocessing"
        )

    def _name_unreadable(self, of_val: Sequence[str]) -> None:
        """Say which photos could not be read so far, each once, others taking their places; and which are damaged."""
        for reason in (*self.team.gather_texts(self.batches.unreadable), *of_val):
            if reason not in self.unreadable:
                self.unreadable.append(reason)
                self.watch.said(f"left out: {reason}")
        for reason in self.team.gather_texts(self.batches.damaged):
            if reason not in self.damaged:
                self.damaged.append(reason)
                self.watch.said(f"damaged, used as far as it can be read: {reason}")

    # -- checkpoints ------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint of this very step, and wait until it is on the disk.

        Raises:
            CheckpointError: it could not be written; earlier checkpoints are untouched.
        """
        self.begin_save()
        self.saver.wait()
        self.team.wait_for_all()  # a process that left now would have torchrun end rank 0 in its work

    def begin_save(self) -> None:
        """Begin to write a checkpoint of this very step; what goes wrong is told by `tell_save_error`."""
        self.end_steps()
        try:
            self.saver.wait()
        except CheckpointError as error:
            self.watch.said(f"warning: {error}")
        checkpoint = snapshot(self)
        if self.team.world.first:
            self.saver.begin(self.clock.step, checkpoint, best=self.progress.best_step == self.clock.step)
        self.team.wait_for_all()  # rank 0 may have waited for a slow disk

    def tell_save_error(self) -> None:
        """Warn of a checkpoint that could not be written; training goes on, and the next one is tried when due."""
        error = self.saver.error()
        if error is not None:
            self.watch.said(f"warning: {error}")

    def restore(self, which: str) -> None:
        """Go back to a saved step: `last`, `auto`, `best` or a checkpoint's name; damaged ones are passed over, named.

        Raises:
            CheckpointError: there is no such checkpoint, or none is whole.
        """
        choice = checkpoints.choose(self.run.checkpoints, which)
        for damaged in choice.passed_over:
            self.watch.said(f"passed over: {damaged}")
        if choice.checkpoint is not None:
            self.go_to(checkpoints.load(choice.checkpoint))
        if len(set(self.team.agree(self.clock.step))) > 1:
            raise CheckpointError(
                f"the processes found different checkpoints in {self.run.path}; it must be on storage that all share"
            )
        self.run.drop_records_after(self.clock.step)
        self.learning.take_up(read_records(self.run.path))

    def go_to(self, saved: checkpoints.Checkpoint) -> None:
        """Be where a checkpoint was written."""
        self._begun.clear()
        self.progress = put_back(self, saved)
        self.forget_graphs()
        if self.best is not None:
            with self.team.loading():
                self.best.load_state_dict(saved.tensors["best"])
        self.clock = Clock(**(saved.state["clock"] | {"phases": phases_of(self.recipe, self.full_pixels)}))

    def forget_graphs(self) -> None:
        """Capture steps anew: the tensors that graphs hold are no longer the training's."""
        if self.graphed is not None:
            self.graphed.forget()


def fit(training: Training) -> None:
    """Train until it is done; save every `save_seconds`, at the best validation, when asked to, and at the end.

    Raises:
        InterruptedRunError: SIGINT or SIGTERM came; everything is saved.
        NonFiniteLossError: the loss is no number any more.
        CheckpointError: the final checkpoint could not be written.
    """
    try:
        with StopRequest() as stop:
            _fit(training, stop)
    finally:
        with contextlib.suppress(CheckpointError):  # what matters has been raised
            training.saver.wait()


def _fit(training: Training, stop: StopRequest) -> None:
    training.team.wait_for_all()
    training.team.settle(training.pass_through)
    training.look_first()
    saved_at = time.monotonic()
    if training.on_bad_step.action == "rollback" and training.clock.step == 0:
        training.save()  # something to go back to
    while not training.done:
        training.step()
        training.tell_save_error()
        due = time.monotonic() - saved_at > training.save_seconds
        stopped_by, wanted = training.team.wishes(stop.name, asked=stop.takes_save(), due=due)
        if stopped_by is not None:
            training.save()
            raise InterruptedRunError(
                f"stopped by {stopped_by} after step {training.clock.step}; all is saved. Resume with: "
                f"{command('train', '--resume', '--run', training.run.path)}"
            )
        if wanted or training.progress.best_step == training.clock.step:
            training.begin_save()
            saved_at = time.monotonic()
    training.save()
