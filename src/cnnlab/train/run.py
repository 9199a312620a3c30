"""A whole run, from a recipe's name to a tested network in its folder; and several seeds of one."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic import TypeAdapter

from cnnlab.data import sources
from cnnlab.data.balance import class_weights, image_weights
from cnnlab.data.division import DATA, read_division
from cnnlab.data.named import is_name
from cnnlab.data.parts import Part, Parts, file_of
from cnnlab.data.paths import same_path, whole_path
from cnnlab.data.photos import Photos
from cnnlab.data.smaller import with_pixels, with_train_images
from cnnlab.data.whitening import load_whitening, save_whitening
from cnnlab.errors import CheckpointError, DataError, UsageError, command, reason_of
from cnnlab.evaluate.answers import Answers, answers_from
from cnnlab.evaluate.classifier import Classifier, Config, save
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.predict import macs_per_image
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import require_model
from cnnlab.models.describe import count_parameters
from cnnlab.models.device import keep_freed_memory
from cnnlab.models.weight_files import Which
from cnnlab.recipes import recipe as recipes
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.choose import fit_batch
from cnnlab.recipes.recipe import Plateau, Recipe
from cnnlab.report.curves import draw_curves
from cnnlab.report.run_page import flat
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.bad_step import parse_on_bad_step
from cnnlab.train.batches import image_channels
from cnnlab.train.companions import require_companions
from cnnlab.train.distributed import (
    ALONE_TEAM,
    RANK_SECONDS,
    Scale,
    Team,
    joined,
    open_run,
    refuse_several,
    require_run_folder,
    world_from_environment,
)
from cnnlab.train.image_size import fit_images
from cnnlab.train.inputs import preprocess_for
from cnnlab.train.learning import Answered, judge, what_to_try
from cnnlab.train.loop import Training, fit
from cnnlab.train.lr_range import HIGHEST, LOWEST, STEPS, LrRange, find_lr, with_lr
from cnnlab.train.memory import with_largest_batch
from cnnlab.train.opening import opening_lines
from cnnlab.train.overfit import MOST_STEPS, Overfit, few_parts, for_a_few, overfit
from cnnlab.train.own_data import load_again, write_data
from cnnlab.train.patience import best_epoch
from cnnlab.train.pretrained import Source, find_source, with_options_of
from cnnlab.train.record import RunFolder, cache_space, environment, require_unused
from cnnlab.train.report import report_run
from cnnlab.train.seeds import run_seeds
from cnnlab.train.sharded import refuse_alone, refuse_with_shares
from cnnlab.train.watch import Watch, WatchSteps
from cnnlab.types import Labels, Preprocess, Split

RECIPE, SETTINGS, PREPROCESS, RESULT = "recipe.json", "settings.json", "preprocess.json", "result.json"
PATHS = ("data", "data_folder", "manifest", "pretrained")
# When a run goes on.
CHANGEABLE = ("save_seconds", "keep", "workers", "on_bad_step", "spike", "rank_seconds", "graphs", "fsdp")


@dataclass(frozen=True)
class Settings:
    """What a run needs to be told besides its recipe.

    `epochs` makes the run shorter or longer than the recipe, which stretches with it. `pretrained` names weights to
    start from (`pretrained.find_source`), `pretrained_key` and `pretrained_ema` which of several in a file
    (`read_weights`), `freeze` what stays as it is (`freeze.freeze`), until `unfreeze_at`, a
    share of the training in [0, 1], is over, if given. `layer_lr`, above 0, multiplies the learning rate of all layers
    but the last (`optim.slow_body`). `patience` ends the run after so many epochs without a lower validation error,
    with the weights of the best epoch; `best_epoch` in the result counts from 0, as in the metrics.

    `class_weights` lets each image count in inverse proportion to the size of its class, `balanced` draws images so
    that each class comes as often as any other. `max_bad` is the share of a folder's images that may be unreadable.
    `train_images` trains on so many, as many of each class, always the same; `pixels` makes the images of a published
    set smaller, a quick trial of what takes long in full.
    `workers` processes decode photos, none for threads. `keep` is how many of the newest checkpoints stay,
    `on_bad_step` and `spike` what to do about a step gone wild (`bad_step.parse_on_bad_step`).
    `auto_batch_size` and `auto_lr` find the recipe's batch size (`memory`) and learning rate (`lr_range`) by trying,
    before the run begins. `graphs` takes steps as CUDA graphs and reads them later (`graphed`), None on a GPU where the
    recipe allows it; `gpu_jpegs` lets a GPU decode JPEGs (`data.gpu_jpeg`).

    Of several processes (`distributed`): `sync_bn` lets batch norms see the images of all, `rank_seconds` is how long
    one may keep the others waiting within a step, and with `fsdp` each holds a share of the weights (`sharded`).
    """

    data: str = "cifar10"
    data_folder: str | None = None
    manifest: str | None = None
    seed: int = 0
    device: str = "auto"
    minutes: float | None = None
    epochs: float | None = None
    final: bool = False
    pretrained: str | None = None
    pretrained_key: str | None = None
    pretrained_ema: bool = False
    freeze: str | None = None
    unfreeze_at: float | None = None
    layer_lr: float | None = None
    patience: int | None = None
    class_weights: bool = False
    balanced: bool = False
    max_bad: float = 0.01
    train_images: int | None = None
    pixels: int | None = None
    compiled: bool = False
    graphs: bool | None = None
    gpu_jpegs: bool = False
    save_seconds: float = 60.0
    keep: int = 2
    workers: int = 0
    on_bad_step: str = "stop"
    spike: float | None = None
    auto_batch_size: bool = False
    auto_lr: bool = False
    sync_bn: bool = False
    rank_seconds: float = RANK_SECONDS
    fsdp: bool = False

    def __post_init__(self) -> None:
        """Refuse what needs something else, or is unknown."""
        parse_on_bad_step(self.on_bad_step, self.spike)
        require_companions(
            unfreeze_at=self.unfreeze_at,
            freeze=self.freeze,
            layer_lr=self.layer_lr,
            pretrained=self.pretrained,
            key=self.pretrained_key,
            ema=self.pretrained_ema,
        )

    @property
    def which(self) -> Which:
        """Which of several weights in the file `pretrained` are meant."""
        return Which(self.pretrained_key, self.pretrained_ema)


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and `result.json` as a dictionary."""

    folder: Path
    result: dict[str, Any]


def train_run(
    recipe: str | Recipe,
    settings: Settings,
    folder: Path | None = None,
    *,
    watch: Watch | None = None,
    watch_steps: WatchSteps | None = None,
) -> Run:
    """Train a recipe's network from the start and test it once; `watch_steps` looks into it meanwhile.

    Raises:
        UsageError: an unknown name, or the folder is in use.
        DataError: the data cannot be used.
        InterruptedRunError: asked to stop; saved.
        NonFiniteLossError, CheckpointError: see `fit`.
    """
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    settings = anchored(settings)
    if settings.minutes is not None and settings.minutes <= 0:
        raise UsageError(f"--minutes must be above 0; seen {settings.minutes}")
    if settings.final and isinstance(recipe.schedule, Plateau):
        raise UsageError(
            f"recipe {recipe.name} lowers the learning rate by the validation error, and --final leaves nothing to "
            'validate on; give another schedule, such as --set \'schedule={"kind": "cosine"}\''
        )
    require_model(recipe.model)
    recipe = with_options_of(recipe, settings.pretrained, settings.which)
    world = world_from_environment()
    folder = require_run_folder(world, folder) or default_folder(recipe, settings.seed)
    if world.restarts and (folder / RECIPE).is_file():
        return resume_run(folder, "auto", watch=watch, watch_steps=watch_steps)
    refuse_alone(world, settings.fsdp)
    with joined(world, settings.device, _scale(settings)) as team, open_run(world, folder, resume=False) as run:
        return _train(recipe, settings, run, team, watch or Watch(), watch_steps, resume=None)


def resume_run(
    folder: Path,
    which: str = "last",
    *,
    changes: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
    watch_steps: WatchSteps | None = None,
) -> Run:
    """Go on with an interrupted run from a checkpoint: `last`, `auto`, `best`, or one by name.

    A finished run is given as it is where `which` is `auto`, so that one command can be repeated until it is done.
    `changes` are settings among `CHANGEABLE` that are other than the run began with.

    Raises:
        UsageError: there is nothing to resume, or the data is no longer the same.
        CheckpointError: the checkpoint is damaged or missing; the message offers another.
    """
    world = world_from_environment()
    refuse_alone(world, bool(changes and changes.get("fsdp")))
    if not (folder / SETTINGS).is_file():
        raise UsageError(f"nothing to resume in {folder}: it has no {SETTINGS}; start it without --resume")
    settings = Settings(**{**json.loads((folder / SETTINGS).read_text(encoding="utf-8")), **(changes or {})})
    with joined(world, settings.device, _scale(settings)) as team, open_run(world, folder, resume=True) as run:
        if (folder / RESULT).is_file() and which == "auto":
            return Run(folder, run.read_json(RESULT))
        if (folder / RESULT).is_file():
            raise UsageError(f"{folder} is finished already; test it with: {command('eval', folder)}")
        recipe = recipes.read(folder / RECIPE)
        return _train(recipe, settings, run, team, watch or Watch(), watch_steps, resume=which)


def go_on_or_train(recipe: str | Recipe, settings: Settings, folder: Path | None) -> Run:
    """Go on with the run in `folder` if it has begun, else begin it; a finished one is given as it is.

    Raises:
        UsageError: there is no folder, or the run began with another recipe or other settings.
    """
    if folder is None:
        raise UsageError("to resume a run its folder must be named; give run=FOLDER with resume=True")
    if not (folder / RECIPE).is_file():
        return train_run(recipe, settings, folder)
    require_the_same(folder, get_recipe(recipe) if isinstance(recipe, str) else recipe, settings)
    return resume_run(folder, "auto", changes={name: getattr(settings, name) for name in CHANGEABLE})


def anchored(settings: Settings) -> Settings:
    """The settings with every path whole, so that they mean the same from any working folder."""
    named = is_name(settings.data)
    changes: dict[str, Any] = {}
    for field in PATHS:
        given = getattr(settings, field)
        if given is not None and not (field == "data" and named) and Path(given).expanduser().exists():
            changes[field] = str(whole_path(given))
    return replace(settings, **changes)


def _scale(settings: Settings) -> Scale:
    return Scale(settings.sync_bn, settings.rank_seconds, settings.fsdp)


def require_the_same(folder: Path, recipe: Recipe, settings: Settings) -> None:
    """Refuse to go on with a run that began with another recipe or other settings.

    What `CHANGEABLE` names does not count, nor what the run was to find by itself. A path is what it leads to.

    Raises:
        UsageError: names each difference.
    """
    before = Settings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    recipe, _ = fit_batch(recipe, json.loads((folder / DATA).read_text(encoding="utf-8"))["train_images"])
    began = {**flat(recipes.to_dict(recipes.read(folder / RECIPE))), **asdict(anchored(before))}
    given = {**flat(recipes.to_dict(recipe)), **asdict(anchored(settings))}
    found = {"batch_size", "optimizer.lr", "epochs"} if settings.auto_batch_size or settings.auto_lr else set()
    names = [name for name in given if name not in (*CHANGEABLE, *found)]
    changed = [
        f"{name}: {began.get(name)} before, now {given[name]}"
        for name in names
        if began.get(name) != given[name] and not (name in PATHS and same_path(began.get(name), given[name]))
    ]
    if changed:
        raise UsageError(
            f"a resumed run keeps to what it began with, and {folder} began otherwise: {'; '.join(changed)}. "
            "Give what it began with, or choose another folder"
        )


def try_lrs(
    recipe: str | Recipe,
    settings: Settings,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
    watch: Watch | None = None,
) -> LrRange:
    """The learning-rate range test of a recipe on its training images, without a run; see `lr_range.find_lr`.

    Raises:
        UsageError: an unknown name, a range that is none, or no rate lowers the loss.
        DataError: the data cannot be used.
    """
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    require_model(recipe.model)
    watch = watch or Watch()
    with TemporaryDirectory() as scratch, RunFolder(Path(scratch) / "run", resume=False) as run:
        inputs = Inputs.gather(recipe, settings, run, watch)
        training = inputs.training(_fitted(recipe, inputs, watch), settings, Watch())
        return find_lr(training, lowest=lowest, highest=highest, steps=steps)


def try_few_images(recipe: str | Recipe, settings: Settings, images: int, *, watch: Watch | None = None) -> Overfit:
    """Whether a recipe's network can learn so many training images, without a run; see `overfit.overfit`.

    Raises:
        UsageError: an unknown name, or there are not so many images.
        DataError: the data cannot be used.
    """
    refuse_several(world_from_environment(), "--overfit")
    watch = watch or Watch()
    recipe = with_options_of(
        get_recipe(recipe) if isinstance(recipe, str) else recipe, settings.pretrained, settings.which
    )
    recipe = for_a_few(recipe, images)
    settings = replace(settings, epochs=MOST_STEPS / (images // recipe.batch_size))
    with TemporaryDirectory() as scratch, RunFolder(Path(scratch) / "run", resume=False) as run:
        inputs = Inputs.gather(recipe, settings, run, watch)
        inputs = replace(inputs, parts=few_parts(inputs.parts, images, settings.seed))
        training = inputs.training(recipe, settings, watch)
        watch.started(f"can {recipe.model} learn {images:,} images of {inputs.parts.name}? up to {MOST_STEPS} steps")
        try:
            return overfit(training)
        finally:
            watch.ended()


def _train(
    recipe: Recipe,
    settings: Settings,
    run: RunFolder,
    team: Team,
    watch: Watch,
    watch_steps: WatchSteps | None,
    resume: str | None,
) -> Run:
    if settings.fsdp and team.world.size > 1:
        refuse_with_shares(recipe, compiled=settings.compiled, watched=watch_steps is not None)
    if not team.world.first:
        watch, watch_steps = Watch(), None
    if run.taken_over is not None:
        watch.said(run.taken_over)
    inputs = Inputs.gather(recipe, settings, run, watch, team)
    parts, preprocess, device, source = inputs.parts, inputs.preprocess, inputs.device, inputs.source
    if resume is not None:
        _compare_data(run, parts)
    started = time.perf_counter()
    if resume is None:
        recipe, settings = _find_auto(_fitted(recipe, inputs, watch), settings, inputs, watch)
    found_seconds = time.perf_counter() - started
    training = inputs.training(recipe, settings, watch, watch_steps)
    training.clock.spend(team.of_first(found_seconds))  # a time budget pays for it
    protocol = get_protocol(recipe.protocol)
    if not protocol.keeps_to_the_crop:  # whether the network can be tested so is better known before it is trained
        macs_per_image(team.whole_network(training.network), protocol, preprocess, device)
    if source is not None and source.preprocess is not None and team.world.first:
        run.write_json(PREPROCESS, asdict(preprocess))
        save_whitening(preprocess, run.path)
    if resume is not None:
        training.restore(resume)
    else:
        _write_inputs(run, recipe, settings, inputs)
    watch.started(_title(recipe, parts, training, device))
    for line in opening_lines(recipe, parts):
        watch.said(line)
    try:
        fit(training)
    finally:
        watch.ended()
        title = f"{recipe.model} on {parts.name}, seed {settings.seed}"
        if team.world.first:
            with contextlib.suppress(OSError):  # curves are drawn anew from the metrics at any time
                draw_curves(run.path, title)
                training.draw_flow(title)
    return _finish(training, settings, watch)


@dataclass(frozen=True)
class Inputs:
    """What trainings are built from besides a recipe and settings."""

    run: RunFolder
    device: torch.device
    parts: Parts
    source: Source | None
    preprocess: Preprocess
    team: Team = ALONE_TEAM

    @classmethod
    def gather(
        cls, recipe: Recipe, settings: Settings, run: RunFolder, watch: Watch, team: Team = ALONE_TEAM
    ) -> Inputs:
        """Load and measure the data, and find the weights to start from."""
        keep_freed_memory()
        device = team.device(settings.device)
        with team.one_before_the_others():
            parts = _load_parts(recipe, settings, run, watch)
            source = _source(recipe, settings, run)
        recipe, parts, said = fit_images(recipe, parts)
        if said:
            watch.said(said)
        return cls(run, device, parts, source, _preprocess(recipe, settings, parts, source, run), team)

    def training(
        self, recipe: Recipe, settings: Settings, watch: Watch, watch_steps: WatchSteps | None = None
    ) -> Training:
        """A training before its first step, the same for the same recipe and settings."""
        labels, classes = self.parts.train.labels, len(self.parts.class_names)
        return Training(
            recipe,
            self.parts,
            self.preprocess,
            self.run,
            seed=settings.seed,
            device=self.device,
            minutes=settings.minutes,
            epochs=settings.epochs,
            compiled=settings.compiled,
            save_seconds=settings.save_seconds,
            watch=watch,
            pretrained=self.source,
            frozen=settings.freeze,
            unfreeze_at=settings.unfreeze_at,
            layer_lr=settings.layer_lr,
            patience=settings.patience,
            class_weights=class_weights(labels, classes).to(self.device) if settings.class_weights else None,
            image_weights=image_weights(labels, classes) if settings.balanced else None,
            max_bad=settings.max_bad,
            watch_steps=watch_steps,
            on_bad_step=parse_on_bad_step(settings.on_bad_step, settings.spike),
            keep=settings.keep,
            workers=settings.workers,
            graphs=settings.graphs,
            gpu_jpegs=settings.gpu_jpegs,
            team=self.team,
        )


def _fitted(recipe: Recipe, inputs: Inputs, watch: Watch) -> Recipe:
    """The recipe with a batch that there are images for; says so, and why the recipe was chosen if it was."""
    for reason in recipe.reasons:
        watch.said(reason)
    recipe, said = fit_batch(recipe, len(inputs.parts.train))
    if said is not None:
        watch.said(said)
    return recipe


def _find_auto(recipe: Recipe, settings: Settings, inputs: Inputs, watch: Watch) -> tuple[Recipe, Settings]:
    """The recipe with the batch size and learning rate that were left to be found, on trainings thrown away.

    A recipe that counts in steps keeps its number of epochs where the batch grows.
    """
    if inputs.team.world.size > 1 and (settings.auto_batch_size or settings.auto_lr):
        raise UsageError(
            f"--batch-size auto and --lr auto try in one process, and there are {inputs.team.world.size}; find them "
            "without torchrun first (cnnlab lr-find), then give numbers"
        )
    if settings.auto_batch_size:
        trial = inputs.training(recipe, settings, Watch())
        images, own = len(inputs.parts.train), trial.recipe_steps / trial.batches.steps_per_epoch
        recipe, said = with_largest_batch(recipe, trial.batch_trial(), images=images, device=inputs.device)
        if recipe.steps and settings.epochs is None and recipe.batch_size > trial.recipe.batch_size:
            settings = replace(settings, epochs=own)
        watch.said(said)
        del trial  # its weights and images, before the next are put on the device
    if settings.auto_lr:
        watch.said(f"trying learning rates: up to {STEPS} steps from {LOWEST:g} to {HIGHEST:g}")
        found = find_lr(inputs.training(recipe, settings, Watch()))
        recipe = with_lr(recipe, found.lr)
        watch.said(found.said)
    return recipe, settings


def _source(recipe: Recipe, settings: Settings, run: RunFolder) -> Source | None:
    """The weights to start from; none once there is a checkpoint, so that they may be gone by then."""
    if settings.pretrained is None or checkpoints.list_checkpoints(run.checkpoints):
        return None
    return find_source(settings.pretrained, recipe.model, settings.which)


def _preprocess(recipe: Recipe, settings: Settings, parts: Parts, source: Source | None, run: RunFolder) -> Preprocess:
    """How the network sees its images: as the weights it starts from did, else as the recipe says.

    What a run took over from its first weights is in its `preprocess.json`.
    """
    own = preprocess_for(recipe, parts)
    given = source.preprocess if source is not None else None
    if given is None and settings.pretrained is not None and (run.path / PREPROCESS).is_file():
        given = TypeAdapter(Preprocess).validate_python(run.read_json(PREPROCESS))
        load_whitening(given, run.path)
    if given is None:
        return own
    return replace(given, resize_pixels=own.resize_pixels, crop_pixels=own.crop_pixels)


def _load_parts(recipe: Recipe, settings: Settings, run: RunFolder, watch: Watch) -> Parts:
    division = read_division(run.path) if (run.path / RECIPE).is_file() else None
    if division is not None:  # the run has begun, and goes on with what it was given then
        parts = load_again(division, run, watch, pixels=recipe.folder_pixels, photos=recipe.crop is not None)
    else:
        parts = sources.load(
            settings.data,
            folder=Path(settings.data_folder) if settings.data_folder else None,
            manifest=Path(settings.manifest) if settings.manifest else None,
            val_images=recipe.val_images if settings.data == recipe.data else None,
            final=settings.final,
            pixels=recipe.folder_pixels,
            photos=recipe.crop is not None,
            max_bad=settings.max_bad,
            report=watch.loading,
        )
    if settings.train_images is not None:
        parts = with_train_images(parts, settings.train_images)
    if settings.pixels is not None:
        parts = with_pixels(parts, settings.pixels)
    for note in (*parts.notes, *(f"skipped {each}" for each in parts.skipped)):
        watch.said(note)
    return parts


def _compare_data(run: RunFolder, parts: Parts) -> None:
    """Refuse to resume on other data than the run began with."""
    before = run.read_json(DATA)
    if before["sha256"] != parts.sha256:
        raise DataError(
            f"the data of {run.path} has changed since it began (SHA-256 {before['sha256'][:12]}…, now "
            f"{parts.sha256[:12]}…); put it back as it was, or start a new run"
        )


def _write_inputs(run: RunFolder, recipe: Recipe, settings: Settings, inputs: Inputs) -> None:
    """Write down what the run starts from, `recipe.json` last: from then on it can be resumed."""
    if inputs.team.world.first:
        write_data(run, inputs.parts, settings.manifest or settings.data)
    run.write_json("environment.json", {**environment(inputs.device), "cache": cache_space()})
    run.write_json(SETTINGS, asdict(settings))
    run.write_json(RECIPE, recipes.to_dict(recipe))


def _title(recipe: Recipe, parts: Parts, training: Training, device: torch.device) -> str:
    millions = count_parameters(training.network) / 1e6
    where = f"{device} with {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
    return (
        f"{recipe.model} ({millions:.2f} M parameters) on {parts.name}: {len(parts.train):,} images to train on, "
        f"{len(parts.val):,} to validate; recipe {recipe.name}; {where}; run {training.run.path}"
    )


def _finish(training: Training, settings: Settings, watch: Watch) -> Run:
    recipe, parts, run = training.recipe, training.parts, training.run
    config = Config(
        architecture=recipe.model,
        num_classes=len(parts.class_names),
        in_channels=image_channels(parts),
        preprocess=training.preprocess,
        labels=Labels(tuple(parts.class_names)),
        protocol=recipe.protocol,
        options=recipe.model_options,
        precision=recipe.test_precision,
    )
    team = training.team
    network = team.whole_network(training.final_network)
    if team.world.first:
        save(run.path, network, config)
    classifier = Classifier(network.eval(), config, training.device, run.path if team.world.first else None)
    result = _summary(training, settings)
    if training.best is not None:
        watch.said(_said_of_the_best(training))
    answers = None
    split, part = (Split.TEST, parts.test) if parts.test is not None else (Split.VAL, parts.val)
    if len(part):
        watch.said(_last_test(split, len(part), training))
        how: dict[str, Any] = {"max_bad": settings.max_bad, "predict": team.predict_part}
        tested, outcome = examine([classifier], part, split=split, why="end of training", **how)
        result[split.value] = {**asdict(tested), "interval95": list(tested.interval95)}
        answers = answers_from(outcome, parts.class_names, split=split, protocol=tested.protocol, part=part)
        result["photo"] = _file_of(part, int(outcome.indices[0])) if len(outcome.indices) else None
    if training.unreadable:
        result["left_out"] = training.unreadable
    if training.damaged:
        result["damaged"] = training.damaged
    result |= _judged(training, answers)
    _write_result(run, result, split)
    if team.world.first:
        try:
            report_run(run.path, answers, part)
        except OSError as error:  # the figures stand
            again = command("report", run.path)
            watch.said(f"report.html could not be written: {reason_of(error)}; make it with: {again}")
    team.wait_for_all()
    return Run(run.path, run.read_json(RESULT))


def _write_result(run: RunFolder, result: dict[str, Any], split: Split) -> None:
    """Write `result.json`; where it cannot be, what was measured is told all the same.

    Raises:
        CheckpointError: it could not be written.
    """
    try:
        run.write_json(RESULT, result)
    except OSError as error:
        tested = result.get(split.value)
        measured = f"{split} accuracy {tested['top1']:.2%} of {tested['images']:,} images" if tested else "not tested"
        raise CheckpointError(
            f"{run.path / RESULT} could not be written: {reason_of(error)}; what was measured: {measured}"
        ) from None


def _file_of(part: Part | Photos, index: int) -> str | None:
    """Where an image of a part lies, None where it is not a file of its own, or of a name that cannot be typed."""
    path = file_of(part, index)
    return str(path) if path is not None and str(path).isprintable() else None


def _judged(training: Training, answers: Answers | None) -> dict[str, Any]:
    """Whether it learned, as the result says it."""
    names, learning = training.parts.class_names, training.learning
    answered = Answered.of(answers.split, answers.guesses, answers.labels, len(names)) if answers else None
    verdict = judge(learning, answered, names)
    advice = () if verdict.learned else what_to_try(training.recipe, training.parts.name, learning, training.clock.step)
    told = {"train_loss": learning.loss, "guess_loss": learning.guess}
    return {"learned": verdict.learned, "warnings": list(verdict.warnings), "try": list(advice), **told}


def _last_test(split: Split, images: int, training: Training) -> str:
    recipe = training.recipe
    if split is Split.TEST:
        return f"reading the test part once: {images:,} images, protocol {recipe.protocol}"
    chose = ["when to lower the learning rate"] if isinstance(recipe.schedule, Plateau) else []
    chose += ["which weights to keep"] if training.best is not None else []
    chosen = f", which also said {' and '.join(chose)}" if chose else ""
    return f"no test part: testing on the {images:,} validation images{chosen}, protocol {recipe.protocol}"


def _summary(training: Training, settings: Settings) -> dict[str, Any]:
    recipe, progress, clock = training.recipe, training.progress, training.clock
    images_seen = (clock.step - len(progress.bad_steps)) * recipe.batch_size  # by all processes together
    result: dict[str, Any] = {
        "run": str(training.run.path),
        "recipe": recipe.name,
        "model": recipe.model,
        "data": training.parts.name,
        "parameters": count_parameters(training.network),
        "device": str(training.device),
        "seed": settings.seed,
        "steps": clock.step,
        "epochs": images_seen / len(training.parts.train),
        "images_seen": images_seen,
        "images_trained": progress.images_trained,
        "train_seconds": clock.used_seconds,
        "images_per_second": progress.images_seen / max(progress.step_seconds, 1e-9),
        "compile_seconds": progress.compile_seconds,
    }
    if progress.val_errors:
        val_error = progress.val_errors[-1]
        if training.best is not None:
            val_error, result["best_epoch"] = min(progress.val_errors), best_epoch(progress.val_errors)
        result["val"] = {"top1": 1 - val_error, "protocol": "center", "images": len(training.parts.val)}
    return result


def _said_of_the_best(training: Training) -> str:
    errors = training.progress.val_errors
    best = best_epoch(errors)
    why = "patience is at its end" if not training.clock.done else "training is over"
    kept = f"the weights are those of epoch {best + 1}, validation {1 - errors[best]:.2%}"
    return f"{why} after epoch {len(errors)}; {kept}"


def default_folder(recipe: Recipe, seed: int) -> Path:
    """`runs/<recipe>-seed<N>-<date>-<time>`, in the current folder; numbered where another began in this second."""
    name = f"{recipe.name.replace('/', '-')}-seed{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next((folder for each in names if not (folder := Path("runs") / each).exists()), Path("runs") / name)


def train_seeds(
    recipe: str | Recipe,
    settings: Settings,
    runs: int,
    folder: Path | None = None,
    *,
    watch: Watch | None = None,
    watch_steps: WatchSteps | None = None,
) -> dict[str, Any]:
    """Train `runs` seeds, `settings.seed` onwards, each in its own folder under `folder`.

    The folder's own `result.json` and `report.html` are written after each seed, whatever comes of it.

    Returns:
        The first run's result with `runs` (all results) and the test part's `mean`, `std` and `interval95` of the
        mean over seeds; see `seeds.run_seeds`.
    """
    refuse_several(world_from_environment(), "--runs")
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    folder = folder or default_folder(recipe, settings.seed)
    require_unused(folder)

    def train(seed: int) -> dict[str, Any]:
        one = replace(settings, seed=seed)
        return train_run(recipe, one, folder / f"seed{seed}", watch=watch, watch_steps=watch_steps).result

    about = {"recipe": recipe.name, "model": recipe.model, "data": settings.data}
    seeds = range(settings.seed, settings.seed + runs)
    return run_seeds(seeds, train, about, folder, (watch or Watch()).said)
