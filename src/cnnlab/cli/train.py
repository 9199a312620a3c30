"""Train a network and test it once; Ctrl-C saves, `--resume` goes on."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output_folder
from cnnlab.cli.parser import add_device, add_json, integer, number, one_of, positive_float, positive_int
from cnnlab.cli.strangers import add_which_flags, which_of
from cnnlab.errors import UsageError, command

if TYPE_CHECKING:
    from cnnlab.recipes.recipe import Recipe
    from cnnlab.train.run import Settings
    from cnnlab.train.watch import WatchSteps

# What a run is told when it begins, and keeps.
FIXED_BY_THE_RUN = {
    "DATA": "data",
    "--recipe": "recipe",
    "--model": "model",
    "--minutes": "minutes",
    "--epochs": "epochs",
    "--batch-size": "batch_size",
    "--lr": "lr",
    "--set": "settings",
    "--final": "final",
    "--manifest": "manifest",
    "--data-folder": "data_folder",
    "--pretrained": "pretrained",
    "--key": "key",
    "--ema": "ema",
    "--freeze": "freeze",
    "--unfreeze-at": "unfreeze_at",
    "--layer-lr": "layer_lr",
    "--patience": "patience",
    "--overfit": "overfit",
    "--class-weights": "class_weights",
    "--balanced": "balanced",
    "--max-bad": "max_bad",
    "--sync-bn": "sync_bn",
    "--gpu-jpegs": "gpu_jpegs",
}

# What a trial on a few images, which keeps nothing, has no use for.
NOT_OF_A_TRIAL = (
    *("run", "minutes", "epochs", "final", "unfreeze_at", "patience", "class_weights", "balanced", "watch", "fsdp"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab train` takes."""
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="cifar10 (default), mnist, fashion_mnist, synthetic, or a folder")
    add(
        "--recipe",
        metavar="NAME",
        help="how to train, see: cnnlab recipes (default: fast/cifar10 for CIFAR-10; for a folder or another network "
        "one is chosen that fits the number of images and the time)",
    )
    add("--model", metavar="NAME", help="another network for the recipe, see: cnnlab models")
    # torchrun takes --run for the beginning of its own --run-path.
    add(
        *("--run", "--run-folder"),
        dest="run",
        type=Path,
        metavar="FOLDER",
        help="where the run is kept (default: runs/…); after torchrun say --run-folder",
    )
    add(
        "--resume",
        nargs="?",
        const="last",
        metavar="WHICH",
        help="resume --run: last (default), best, step-…, or auto, which begins it if there is none",
    )
    add("--seed", type=integer, default=0, metavar="N", help="of the initial weights, the order and the augmentation")
    add("--runs", type=positive_int, default=1, metavar="N", help="train N seeds; mean, spread and 95%% interval")
    add("--minutes", type=positive_float, metavar="M", help="time to spend, training and test; the schedule stretches")
    add("--epochs", type=positive_float, metavar="N", help="length in epochs; the schedule stretches")
    add("--batch-size", type=int_or_auto, metavar="N|auto", help="images a step; auto: as many as fit, lr scaled")
    add("--lr", type=float_or_auto, metavar="F|auto", help="the optimizer's learning rate; auto: by a range test")
    add("--set", action="append", default=[], metavar="A.B=V", dest="settings", help="set any field of the recipe")
    add(
        "--pretrained",
        nargs="?",
        const="official",
        metavar="RUN|FILE|NAME",
        help="start from the weights of a run, a file, or a published network (no value: those of --model); "
        "the last layer starts anew where the classes differ",
    )
    add_which_flags(add)
    add(
        "--freeze",
        nargs="?",
        const="all but the classifier",
        metavar="PATTERN",
        help="leave these weights and their statistics as they are, such as 'layer1.*' "
        "(no value: all but the classifier)",
    )
    add("--unfreeze-at", type=share, metavar="SHARE", help="train these too from this share of the training on")
    add("--layer-lr", type=positive_float, metavar="F", help="all layers but the last at F times the rate, such as 0.1")
    add(
        "--patience",
        type=positive_int,
        metavar="EPOCHS",
        help="stop after so many epochs without a lower validation error, with the weights of the best epoch",
    )
    add("--overfit", type=positive_int, metavar="N", help="only try whether it can learn N images; keeps nothing")
    add(
        "--class-weights",
        type=one_of("weighting", ("auto",)),
        metavar="auto",
        help="auto: images of rare classes count more in the loss, so that all classes count alike",
    )
    add("--balanced", action="store_true", help="draw images so that every class comes as often as any other")
    add("--max-bad", type=share, metavar="F", help="share of unreadable images to let pass (default 0.01)")
    add("--final", action="store_true", help="train on all but the test part, once all choices are made")
    add("--data-folder", metavar="DIR", help="your own copy of a published data set")
    add("--manifest", metavar="CSV", help="which images of the folder to use, by: cnnlab data split")
    add("--save-seconds", type=positive_float, metavar="S", help="between checkpoints (default 60)")
    add("--keep", type=positive_int, metavar="N", help="newest checkpoints that stay, besides the best (default 2)")
    add("--workers", type=count, metavar="N", help="processes that decode photos (default 0: threads)")
    add(
        "--on-bad-step",
        metavar="WHAT",
        help="a loss or gradient that is no number: stop (default), skip the batch, or rollback:K, back to the newest "
        "checkpoint up to K times",
    )
    add(
        "--spike", type=positive_float, metavar="F", help="bad, too: a loss or gradient F times the median of 100 steps"
    )
    add(
        "--watch",
        nargs="?",
        const=0,
        type=watched_steps,
        metavar="N",
        help="look into every Nth step (no value: 100th): gradients by depth, what is wrong, flow.png",
    )
    add("--sync-bn", action="store_true", help="of several processes (torchrun): batch norms see the images of all")
    add(
        "--fsdp",
        action=argparse.BooleanOptionalAction,
        help="of several processes: each holds a share of the weights and of all that belongs to them, for large ones",
    )
    add(
        "--rank-seconds",
        type=positive_float,
        metavar="S",
        help="of several processes: how long one may keep the others waiting in a step (default 10)",
    )
    add("--gpu-jpegs", action="store_true", help="decode JPEGs on the GPU, where that can be (the CPU's pixels differ)")
    add("--compile", action="store_true", help="use torch.compile (needs a C++ compiler; pays on long GPU runs)")
    add(
        "--graphs",
        action=argparse.BooleanOptionalAction,
        help="take steps as CUDA graphs, read a few steps later (default: on a GPU, where the recipe allows it)",
    )
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    from cnnlab.train.bad_step import parse_on_bad_step
    from cnnlab.train.companions import require_companions

    if args.resume not in (None, "auto"):
        _refuse_changes(args)
    early.require_run_folder(args.run, args.resume)
    resumes = args.resume is not None and (args.resume != "auto" or (args.run / "recipe.json").is_file())
    require_output_folder("--run", args.run or Path("runs"))
    parse_on_bad_step(args.on_bad_step or "stop", args.spike)
    if resumes:
        return
    recipe = early.require_recipe(args.recipe, args.model, args.data, args.settings)
    if args.data is None and args.pretrained is None:
        own_data(recipe)
    early.require_data(args.data, args.data_folder, args.manifest)
    early.require_weights(args.pretrained)
    require_companions(
        unfreeze_at=args.unfreeze_at,
        freeze=args.freeze,
        layer_lr=args.layer_lr,
        pretrained=args.pretrained,
        key=args.key,
        ema=args.ema,
    )
    if args.overfit is not None:
        _refuse_with_overfit(args)


def run(args: argparse.Namespace) -> int:
    """Train as the arguments say."""
    from cnnlab.cli.console import console, print_json, watch_for
    from cnnlab.train.distributed import world_from_environment
    from cnnlab.train.run import resume_run, train_run, train_seeds

    look = _watch_steps(args)
    out = console(json_output=args.json)
    watch = watch_for(out)
    set_threads(args.threads)
    if args.resume is not None and _goes_on(args):
        changes = _changeable(args)
        result = resume_run(args.run, args.resume, changes=changes, watch=watch, watch_steps=look).result
    else:
        recipe = _recipe(args)
        settings = _settings(args, recipe)
        if args.overfit is not None:
            return _try_few_images(args, recipe, settings)
        if args.runs > 1:
            result = train_seeds(recipe, settings, args.runs, args.run, watch=watch, watch_steps=look)
        else:
            result = train_run(recipe, settings, args.run, watch=watch, watch_steps=look).result
    if world_from_environment().first:
        print_json(result) if args.json else _tell(out, result)
    return int(bool(result.get("failed")))  # some of several seeds


def _settings(args: argparse.Namespace, recipe: Recipe) -> Settings:
    """What the run needs to be told besides its recipe."""
    from cnnlab.train.run import Settings

    return Settings(
        data=args.data or own_data(recipe),
        data_folder=args.data_folder,
        manifest=args.manifest,
        seed=args.seed,
        device=args.device,
        minutes=args.minutes,
        epochs=args.epochs,
        final=args.final,
        pretrained=args.pretrained,
        pretrained_key=args.key,
        pretrained_ema=args.ema,
        freeze=args.freeze,
        unfreeze_at=args.unfreeze_at,
        layer_lr=args.layer_lr,
        patience=args.patience,
        class_weights=args.class_weights == "auto",
        balanced=args.balanced,
        max_bad=0.01 if args.max_bad is None else args.max_bad,
        compiled=args.compile,
        auto_batch_size=args.batch_size == "auto",
        auto_lr=args.lr == "auto",
        sync_bn=args.sync_bn,
        gpu_jpegs=args.gpu_jpegs,
        **_changeable(args),
    )


def _changeable(args: argparse.Namespace) -> dict[str, Any]:
    """The settings given that may be other ones when a run goes on."""
    from cnnlab.train.run import CHANGEABLE

    return {name: value for name in CHANGEABLE if (value := getattr(args, name)) is not None}


def share(text: str) -> float:
    """An argument that must be a share, 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not a share between 0 and 1")
    return value


def count(text: str) -> int:
    """An argument that must be a whole number, 0 or more."""
    return 0 if text == "0" else positive_int(text)


def int_or_auto(text: str) -> int | str:
    """An argument that must be a whole number above 0, or `auto`."""
    return text if text == "auto" else positive_int(text)


def float_or_auto(text: str) -> float | str:
    """An argument that must be a number above 0, or `auto`."""
    return text if text == "auto" else positive_float(text)


def watched_steps(text: str) -> int:
    """An argument that must be a number of steps; what comes after `--watch` by mistake is named."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps; DATA goes before --watch")
    return int(text)


def set_threads(threads: int | None) -> None:
    """Use this many CPU threads; None leaves torch its choice."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _goes_on(args: argparse.Namespace) -> bool:
    """Whether there is a run to resume.

    Raises:
        UsageError: with `--resume auto` something is given that is not what it began with.
    """
    if args.resume == "auto":
        return _goes_on_by_itself(args, compare=bool(_given(args)))
    return True


def _given(args: argparse.Namespace) -> list[str]:
    return [flag for flag, name in FIXED_BY_THE_RUN.items() if getattr(args, name) not in (None, False, [])]


def _refuse_changes(args: argparse.Namespace) -> None:
    """Refuse to go on with a run otherwise than it began."""
    given = [flag for flag in _given(args) if not (flag == "DATA" and _is_own(args.data, args.run))]
    if given:
        raise UsageError(f"--resume keeps to what the run began with; {', '.join(given)} cannot change it now")


def _is_own(data: str, run: Path) -> bool:
    """Whether `data` is what the run was told to train on, however it is spelt."""
    import json

    from cnnlab.data.named import is_name
    from cnnlab.data.paths import same_path

    try:
        own = str(json.loads((run / "settings.json").read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # what is wrong with the run is told when it is opened
    return data == own or (not is_name(data) and not is_name(own) and same_path(data, own))


def _goes_on_by_itself(args: argparse.Namespace, *, compare: bool) -> bool:
    """Whether the run has begun; with `compare`, what is given must be what it began with."""
    if not (args.run / "recipe.json").is_file():
        return False
    if compare:
        from cnnlab.train.run import require_the_same

        recipe = _recipe(args, began=args.run / "recipe.json")
        require_the_same(args.run, recipe, _settings(args, recipe))
    return True


def _refuse_with_overfit(args: argparse.Namespace) -> None:
    """Refuse, beside --overfit, what a trial on a few images has no use for."""
    given = [name for name in NOT_OF_A_TRIAL if getattr(args, name) is not None and getattr(args, name) is not False]
    given += ["runs"] if args.runs > 1 else []
    given += [name for name in ("batch_size", "lr") if getattr(args, name) == "auto"]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"--overfit only tries {args.overfit} images and keeps nothing; leave out {flags}")


def _try_few_images(args: argparse.Namespace, recipe: Recipe, settings: Settings) -> int:
    """Try whether the network can learn a few images, and give the verdict."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, print_json, watch_for
    from cnnlab.train.overfit import what_to_look_at
    from cnnlab.train.run import try_few_images

    out = console(json_output=args.json)
    found = try_few_images(recipe, settings, args.overfit, watch=watch_for(out))
    advice = () if found.learned else what_to_look_at(recipe.model, settings.data)
    if args.json:
        told = {"recipe": recipe.name, "model": recipe.model, "data": settings.data, "seed": settings.seed}
        print_json({**told, "overfit": asdict(found), "advice": list(advice)})
        return 0
    out.print(found.said, markup=False)
    for line in advice:
        out.print(f"  look at {line}", markup=False)
    return 0


def _watch_steps(args: argparse.Namespace) -> WatchSteps | None:
    """What looks into the network while it trains; None where nothing is to."""
    if args.watch is None:
        return None
    from functools import partial

    from cnnlab.explain.live import LiveFlow

    return partial(LiveFlow, every=args.watch or None)


def _recipe(args: argparse.Namespace, began: Path | None = None) -> Recipe:
    """The recipe asked for; where none is named the one that a run `began` with, or one that fits."""
    from cnnlab.recipes.catalog import get_recipe
    from cnnlab.recipes.recipe import with_settings
    from cnnlab.train.chosen import network_of_weights, recipe_for

    named = args.model or set_model(args.settings)
    model, pixels = network_of_weights(args.pretrained, named, args.recipe, which_of(args))
    chosen = [f"model={model}"] if model else []
    chosen += [f"batch_size={args.batch_size}"] if args.batch_size not in (None, "auto") else []
    chosen += [f"optimizer.lr={args.lr}"] if args.lr not in (None, "auto") else []
    if args.recipe or began is not None:
        recipe = get_recipe(args.recipe or str(began))
    else:
        how = {"pretrained_pixels": pixels, "manifest": args.manifest, "minutes": args.minutes, "device": args.device}
        recipe = recipe_for(args.data or "cifar10", model, **how)
    if pixels and recipe.crop is None:
        chosen.append(f"folder_pixels={pixels}")
    recipe = with_settings(recipe, [*chosen, *args.settings])
    given = [each for each in (*chosen, *args.settings) if not each.startswith("model=")]
    if began is None and recipe.reasons and given:  # what was chosen is said, and is not all that is done
        recipe = replace(
            recipe, reasons=(*recipe.reasons, f"as given, in place of what was chosen: {', '.join(given)}")
        )
    return recipe


def set_model(settings: list[str]) -> str | None:
    """The network that `--set model=NAME` asks for."""
    return next((each.partition("=")[2].strip() for each in reversed(settings) if each.startswith("model=")), None)


def own_data(recipe: Recipe) -> str:
    """The data a recipe was written for.

    Raises:
        UsageError: that is ImageNet, which cannot be fetched.
    """
    if recipe.data == "photos":
        given = command("train", "FOLDER", "--recipe", recipe.name)
        raise UsageError(f"recipe {recipe.name} is for photos; give a folder: {given}")
    if recipe.data == "imagenet":
        raise UsageError(
            f"recipe {recipe.name} trains on ImageNet, which cannot be downloaded here; give your copy or any folder "
            f"of photos: {command('train', 'FOLDER', '--recipe', recipe.name)}"
        )
    return recipe.data


def _tell(out: Any, result: dict[str, Any]) -> None:
    from cnnlab.cli.console import clock, percent

    if "test" in result:
        out.print(
            f"[bold]test accuracy {percent(result['test'].get('mean', result['test']['top1']))}[/bold]",
            _how_sure(result),
        )
    for each in result.get("failed", ()):
        out.print(f"seed {each['seed']} failed: {each['error']}", markup=False)
    if "val" in result:
        val = result["val"]
        among = f"mean of {len(result['runs'])} seeds, " if "mean" in val else ""
        shown = percent(val.get("mean", val["top1"]))
        out.print(f"validation accuracy {shown} ({among}{val['images']:,} images, protocol {val['protocol']})")
    out.print(
        f"{result['epochs']:.1f} epochs, {result['steps']:,} steps in {clock(result['train_seconds'])}; "
        f"{result['images_per_second']:.0f} images/s"
    )
    _tell_whether_it_learned(out, result)
    folder = result["runs"][0]["run"] if "runs" in result else result["run"]
    out.print(f"run folder {result['run']} (report.html, curves.png, metrics.csv, TensorBoard)", markup=False)
    out.print("next:", *(f"\n  {each}" for each in _next(folder, result)), sep="", markup=False)


def _next(folder: str, result: dict[str, Any]) -> list[str]:
    """What to type next: about one of the photos tested, where they are files; about the whole; about the curves."""
    photo = result.get("photo")
    lines = [command("predict", folder, photo), command("explain", folder, photo)] if photo else []
    if {"val", "test"} & result.keys():  # else there is nothing to test it on
        lines.append(command("eval", folder, "--per-class"))
    return [*lines, shlex.join(["tensorboard", "--logdir", result["run"]])]


def _tell_whether_it_learned(out: Any, result: dict[str, Any]) -> None:
    """Say loudly that nothing was learned, or that nobody knows; nothing where it was."""
    if result.get("learned", True):
        return
    doubts = "; ".join(result["warnings"])
    if result["learned"] is None:
        out.print(f"note: {doubts}", markup=False)
        return
    out.print("[bold red]it has not learned[/bold red]: ", end="")
    out.print(doubts, markup=False)
    for each in result["try"]:
        out.print(f"  try {each}", markup=False)


def _how_sure(result: dict[str, Any]) -> str:
    from cnnlab.cli.console import percent

    low, high = (percent(each) for each in result["test"]["interval95"])
    if "mean" in result["test"]:
        each = ", ".join(percent(run["test"]["top1"]) for run in result["runs"])
        deviation = percent(result["test"]["std"])
        return f"mean of {len(result['runs'])} seeds, deviation {deviation}, 95% interval {low} to {high} ({each})"
    return f"95% interval {low} to {high}, {result['test']['images']:,} images, protocol {result['test']['protocol']}"
