"""A whole run, from a recipe's name to a tested network in its folder; and several seeds of one."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from cnnlab.data import sources
from cnnlab.data.balance import class_weights, image_weights
from cnnlab.data.parts import Parts
from cnnlab.data.whitening import load_whitening, save_whitening
from cnnlab.errors import DataError, UsageError
from cnnlab.evaluate.answers import answers_from
from cnnlab.evaluate.classifier import Classifier, Config, save
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.intervals import spread
from cnnlab.evaluate.predict import macs_per_image
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import require_model
from cnnlab.models.describe import count_parameters
from cnnlab.models.device import keep_freed_memory, resolve_device
from cnnlab.recipes import recipe as recipes
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Plateau, Recipe
from cnnlab.report.curves import draw_curves
from cnnlab.train import checkpoint as checkpoints
from cnnlab.train.batches import image_channels
from cnnlab.train.inputs import preprocess_for
from cnnlab.train.loop import Training, fit
from cnnlab.train.pretrained import Source, find_source
from cnnlab.train.record import RunFolder, environment
from cnnlab.train.report import report_run
from cnnlab.train.watch import Watch
from cnnlab.types import Labels, Preprocess, Split

RECIPE, SETTINGS, PREPROCESS, RESULT = "recipe.json", "settings.json", "preprocess.json", "result.json"


@dataclass(frozen=True)
class Settings:
    """What a run needs to be told besides its recipe.

    `epochs` makes the run shorter or longer than the recipe, which stretches with it. `pretrained` names weights to
    start from (`pretrained.find_source`), `freeze` what stays as it is (`freeze.freeze`). `class_weights` lets each
    image count in inverse proportion to the size of its class, `balanced` draws images so that each class comes as
    often as any other. `max_bad` is the share of a folder's images that may
    be unreadable.
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
    freeze: str | None = None
    class_weights: bool = False
    balanced: bool = False
    max_bad: float = 0.01
    compiled: bool = False
    save_seconds: float = 60.0


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and `result.json` as a dictionary."""

    folder: Path
    result: dict[str, Any]


def train_run(
    recipe: str | Recipe, settings: Settings, folder: Path | None = None, *, watch: Watch | None = None
) -> Run:
    """Train a recipe's network from the start and test it once.

    Raises:
        UsageError: an unknown name, or the folder is in use.
        DataError: the data cannot be used.
        InterruptedRunError: asked to stop; saved.
        NonFiniteLossError, CheckpointError: see `fit`.
    """
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    if settings.minutes is not None and settings.minutes <= 0:
        raise UsageError(f"--minutes must be above 0; seen {settings.minutes}")
    if settings.final and isinstance(recipe.schedule, Plateau):
        raise UsageError(
            f"recipe {recipe.name} lowers the learning rate by the validation error, and --final leaves nothing to "
            'validate on; give another schedule, such as --set \'schedule={"kind": "cosine"}\''
        )
    require_model(recipe.model)
    with RunFolder(folder or default_folder(recipe, settings.seed), resume=False) as run:
        return _train(recipe, settings, run, watch or Watch(), resume=None)


def resume_run(folder: Path, which: str = "last", *, watch: Watch | None = None) -> Run:
    """Go on with an interrupted run from a checkpoint: `last`, `auto`, or one by name.

    Raises:
        UsageError: there is nothing to resume, or the data is no longer the same.
        CheckpointError: the checkpoint is damaged or missing; the message offers another.
    """
    with RunFolder(folder, resume=True) as run:
        if (folder / RESULT).is_file():
            raise UsageError(f"{folder} is finished already; test it with: cnnlab eval {folder}")
        recipe = recipes.read(folder / RECIPE)
        settings = Settings(**run.read_json(SETTINGS))
        return _train(recipe, settings, run, watch or Watch(), resume=which)


def _train(recipe: Recipe, settings: Settings, run: RunFolder, watch: Watch, resume: str | None) -> Run:
    keep_freed_memory()
    device = resolve_device(settings.device)
    parts = _load_parts(recipe, settings, watch)
    labels, classes = parts.train.labels, len(parts.class_names)
    source = _source(recipe, settings, run)
    preprocess = _preprocess(recipe, settings, parts, source, run)
    if resume is not None:
        _compare_data(run, parts)
    training = Training(
        recipe,
        parts,
        preprocess,
        run,
        seed=settings.seed,
        device=device,
        minutes=settings.minutes,
        epochs=settings.epochs,
        compiled=settings.compiled,
        save_seconds=settings.save_seconds,
        watch=watch,
        pretrained=source,
        frozen=settings.freeze,
        class_weights=class_weights(labels, classes).to(device) if settings.class_weights else None,
        image_weights=image_weights(labels, classes) if settings.balanced else None,
        max_bad=settings.max_bad,
    )
    protocol = get_protocol(recipe.protocol)
    if not protocol.keeps_to_the_crop:  # whether the network can be tested so is better known before it is trained
        macs_per_image(training.network, protocol, preprocess, device)
    if source is not None and source.preprocess is not None:
        run.write_json(PREPROCESS, asdict(preprocess))
        save_whitening(preprocess, run.path)
    if resume is not None:
        training.restore(resume)
    else:
        _write_inputs(run, recipe, settings, parts, device)
    watch.started(_title(recipe, parts, training, device))
    try:
        fit(training)
    finally:
        watch.ended()
        with contextlib.suppress(OSError):  # curves are drawn anew from the metrics at any time
            draw_curves(run.path, f"{recipe.model} on {parts.name}, seed {settings.seed}")
    return _finish(training, settings, watch)


def _source(recipe: Recipe, settings: Settings, run: RunFolder) -> Source | None:
    """The weights to start from; none once there is a checkpoint, so that they may be gone by then."""
    if settings.pretrained is None or checkpoints.list_checkpoints(run.checkpoints):
        return None
    return find_source(settings.pretrained, recipe.model)


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


def _load_parts(recipe: Recipe, settings: Settings, watch: Watch) -> Parts:
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
    for note in (*parts.notes, *(f"skipped {each}" for each in parts.skipped)):
        watch.said(note)
    return parts


def _compare_data(run: RunFolder, parts: Parts) -> None:
    """Refuse to resume on other data than the run began with."""
    before = run.read_json("data.json")
    if before["sha256"] != parts.sha256:
        raise DataError(
            f"the data of {run.path} has changed since it began (SHA-256 {before['sha256'][:12]}…, now "
            f"{parts.sha256[:12]}…); put it back as it was, or start a new run"
        )


def _write_inputs(run: RunFolder, recipe: Recipe, settings: Settings, parts: Parts, device: torch.device) -> None:
    """Write down what the run starts from, `recipe.json` last: from then on it can be resumed."""
    run.write_json("data.json", _describe_data(parts))
    run.write_json("environment.json", environment(device))
    run.write_json(SETTINGS, asdict(settings))
    run.write_json(RECIPE, recipes.to_dict(recipe))


def _describe_data(parts: Parts) -> dict[str, Any]:
    return {
        "name": parts.name,
        "source": parts.source,
        "sha256": parts.sha256,
        "train_images": len(parts.train),
        "val_images": len(parts.val),
        "test_images": len(parts.test) if parts.test is not None else 0,
        "class_names": list(parts.class_names),
        "skipped": list(parts.skipped),
    }


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
    )
    network = training.tested_network
    save(run.path, network, config)
    classifier = Classifier(network.eval(), config, training.device, run.path)
    result = _summary(training, settings)
    answers = None
    if parts.test is not None:
        watch.said(f"reading the test part once: {len(parts.test):,} images, protocol {recipe.protocol}")
        tested, outcome = examine([classifier], parts.test, split=Split.TEST, why="end of training")
        result["test"] = {**asdict(tested), "interval95": list(tested.interval95)}
        answers = answers_from(outcome, parts.class_names, split=Split.TEST, protocol=tested.protocol)
    run.write_json(RESULT, result)
    report_run(run.path, answers, parts.test)
    return Run(run.path, run.read_json(RESULT))


def _summary(training: Training, settings: Settings) -> dict[str, Any]:
    recipe, progress, clock = training.recipe, training.progress, training.clock
    result: dict[str, Any] = {
        "run": str(training.run.path),
        "recipe": recipe.name,
        "model": recipe.model,
        "data": training.parts.name,
        "parameters": count_parameters(training.network),
        "device": str(training.device),
        "seed": settings.seed,
        "steps": clock.step,
        "epochs": clock.step / training.batches.steps_per_epoch,
        "train_seconds": clock.used_seconds,
        "images_per_second": progress.images_seen / max(progress.step_seconds, 1e-9),
    }
    if progress.val_errors:
        result["val"] = {"top1": 1 - progress.val_errors[-1], "protocol": "center", "images": len(training.parts.val)}
    return result


def default_folder(recipe: Recipe, seed: int) -> Path:
    """`runs/<recipe>-seed<N>-<date>-<time>`, in the current folder."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{recipe.name.replace('/', '-')}-seed{seed}-{stamp}"


def train_seeds(
    recipe: str | Recipe, settings: Settings, runs: int, folder: Path | None = None, *, watch: Watch | None = None
) -> dict[str, Any]:
    """Train `runs` seeds, `settings.seed` onwards, each in its own folder under `folder`.

    Returns:
        The first run's result with `runs` (all results) and the test part's `mean`, `std` and `interval95` of the
        mean over seeds.
    """
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    folder = folder or default_folder(recipe, settings.seed)
    results = []
    for seed in range(settings.seed, settings.seed + runs):
        one = replace(settings, seed=seed)
        results.append(train_run(recipe, one, folder / f"seed{seed}", watch=watch).result)
    summary: dict[str, Any] = {**results[0], "run": str(folder), "runs": results}
    if all("test" in each for each in results):
        over_seeds = spread([each["test"]["top1"] for each in results])
        summary["test"] = {
            **results[0]["test"],
            "mean": over_seeds.mean,
            "std": over_seeds.std,
            "interval95": list(over_seeds.interval95 or results[0]["test"]["interval95"]),
        }
    return summary
