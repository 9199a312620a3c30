"""Files of weights in place of a run: the flags that say what a file does not, and the network opened by them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.errors import UsageError, command

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.evaluate.classifier import Classifier
    from cnnlab.evaluate.strangers import Known
    from cnnlab.evaluate.trial import Trial
    from cnnlab.models.weight_files import Which

RUN_HELP = "a run folder, a bundle, a file of weights, a hub folder of timm, or a network with published weights"
SHOWN_TRIALS = 12
FLAGS = ("model", "settings", "mean", "std", "classes", "key", "ema")


def add_file_flags(parser: argparse.ArgumentParser) -> None:
    """Add what may be said of a file of weights."""
    group = parser.add_argument_group("for a file of weights, which does not say these")
    add = group.add_argument
    add("--model", metavar="NAME", help="the network it is of (default: the only one that it fits)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        dest="settings",
        help="an option of the network that the file does not show, such as pool=padded; needs --model",
    )
    add("--mean", type=numbers, metavar="R,G,B", help="subtracted from each channel, in units of 0 to 1")
    add("--std", type=numbers, metavar="R,G,B", help="what each channel is divided by")
    add("--classes", metavar="cifar10|imagenet|FILE", help="names of the classes in order; a FILE has one a line")
    add_which_flags(add)


def add_which_flags(add: Callable[..., object]) -> None:
    """Add what chooses among several weights in one file, by a parser's or a group's `add_argument`."""
    add("--key", metavar="NAME", help="which weights to take, where a file holds several; see checkpoint info")
    add("--ema", action="store_true", help="take the weights that were averaged over the training (EMA)")


def which_of(args: argparse.Namespace) -> Which:
    """Which of several weights in a file the user asked for."""
    from cnnlab.models.weight_files import Which

    return Which(args.key, args.ema)


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them, as `--mean 0.5,0.5,0.5`."""
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0.5,0.5,0.5") from None


def check_file_flags(args: argparse.Namespace, source: str | Path) -> None:
    """Refuse flags that a run has no use for, and misspelt networks."""
    given = [name for name in FLAGS if getattr(args, name)]
    if given and not Path(source).is_file() and not _is_hub(Path(source)):
        flag = {"settings": "--set"}.get(given[0], f"--{given[0]}")
        raise UsageError(f"{flag} is for a file of weights; {source} says by itself what network it is")
    if args.model is not None:
        early.require_model(args.model)
    elif args.settings:
        raise UsageError(f"--set {args.settings[0]} needs --model NAME: whose option is it?")


def known_of(args: argparse.Namespace) -> Known:
    """What the user said of a file."""
    from cnnlab.cli.inspect import network_options
    from cnnlab.evaluate.strangers import Known

    options = network_options(args.model, args.settings) if args.model is not None else {}
    return Known(args.model, options, args.mean, args.std, _names(args.classes), which_of(args))


def opened(args: argparse.Namespace, source: str | Path, data: str | None = None) -> Classifier:
    """The network that `source` names; what is found and assumed of a file is printed.

    With `data`, labelled images tell between the networks that the file fits, and between the usual normalisations.

    Raises:
        UsageError: it cannot be told which network it is.
    """
    from cnnlab.cli.console import console
    from cnnlab.evaluate.pretrained import load
    from cnnlab.evaluate.strangers import named_by, open_file, open_hub_folder

    path, out = Path(source), console(json_output=args.json)
    if path.is_dir() and _is_hub(path):
        classifier, said = open_hub_folder(path, known_of(args), device=args.device)
    elif path.is_file():
        known = known_of(args)
        known = _tried(path, known, data, args, out) if data is not None else known
        classifier, said = open_file(path, known, device=args.device)
    else:
        return load(source, device=args.device)
    for line in said:
        out.print(line, markup=False)
    return classifier if data is None else named_by(classifier, data, args.data_folder)


def _is_hub(path: Path) -> bool:
    if not (path / "config.json").is_file() or (path / "recipe.json").is_file():
        return False
    from cnnlab.evaluate.pretrained import is_hub_folder

    return is_hub_folder(path)


def _names(given: str | None) -> tuple[str, ...] | None:
    from cnnlab.data.cifar10 import CLASS_NAMES
    from cnnlab.evaluate.pretrained import imagenet_names

    if given in (None, "cifar10", "imagenet"):
        return None if given is None else CLASS_NAMES if given == "cifar10" else imagenet_names()
    path = Path(str(given))
    if not path.is_file() or path.stat().st_size > 1_000_000:
        raise UsageError(f"--classes {given}: give cifar10, imagenet, or a text file with one name a line")
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _tried(path: Path, known: Known, data: str, args: argparse.Namespace, out: Console) -> Known:
    """What a trial on labelled images adds to what is known; a file whose everything is known is not tried."""
    from dataclasses import replace

    from cnnlab.evaluate.trial import clear_winner, try_all
    from cnnlab.models.official_weights import find_by_sha256
    from cnnlab.types import Split

    published = find_by_sha256(known.which.read(path).sha256)
    if published is not None or (known.model is not None and known.mean is not None):
        return known
    trials = try_all(path, data, known, folder=args.data_folder, device=args.device)
    best = clear_winner(trials)
    if len(trials) > 1:
        print_trials(out, trials, data)
    if best is None:
        raise UsageError(
            f"{data} does not tell which network {path} is; name it: "
            f"{command('eval', path, data, *known.which.flags())} --model NAME"
        )
    mean, std = (",".join(f"{each:g}" for each in values) for values in (best.preprocess.mean, best.preprocess.std))
    out.print(f"taken: --model {best.candidate} --mean {mean} --std {std}", markup=False)
    if best.split is not Split.TRAIN:
        out.print(
            f"{data} chose these, and tests them: the accuracy may be too high; choose by other images", markup=False
        )
    options = best.candidate.own_options()
    return replace(
        known, model=best.candidate.model, options=options, mean=best.preprocess.mean, std=best.preprocess.std
    )


def print_trials(out: Console, trials: list[Trial], data: str) -> None:
    """The best trials as a table, and what is to be known of it."""
    from cnnlab.cli.console import percent, table

    made = table("network", "what it is", "normalised by", "accuracy", "95% interval")
    for each in trials[:SHOWN_TRIALS]:
        low, high = map(percent, each.interval95)
        made.add_row(
            str(each.candidate), each.candidate.what, each.normalisation, percent(each.top1), f"{low} to {high}"
        )
    out.print(made)
    out.print(f"tried on {trials[0].images} {trials[0].split} images of {data}", markup=False)


def trial_record(trial: Trial) -> dict[str, Any]:
    """A trial as plain values."""
    return {
        "model": trial.candidate.model,
        "options": trial.candidate.own_options(),
        "what": trial.candidate.what,
        "normalisation": trial.normalisation,
        "mean": list(trial.preprocess.mean),
        "std": list(trial.preprocess.std),
        "images": trial.images,
        "top1": trial.top1,
        "interval95": list(trial.interval95),
    }
