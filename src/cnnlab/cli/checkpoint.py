"""Look at files of weights, and convert them: torchvision's, timm's, CIFAR checkpoints, Cadene's and our own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output
from cnnlab.cli.parser import add_device, add_json, one_of
from cnnlab.cli.strangers import add_file_flags, check_file_flags, known_of, print_trials, trial_record, which_of
from cnnlab.cli.train import set_threads
from cnnlab.errors import DataError, UsageError, command

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.evaluate.trial import Trial
    from cnnlab.models.recognise import Candidate
    from cnnlab.models.weight_files import WeightsFile

ACTIONS = ("info", "convert")
MAY_BE = ("fits", "may_also_be")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab checkpoint` takes."""
    add = parser.add_argument
    add(
        "action",
        type=one_of("action", ACTIONS),
        metavar="ACTION",
        help="info: what a file holds; convert: to our names, safetensors",
    )
    add("file", type=Path, metavar="FILE", help="a file of torch.save or safetensors; no code in it is run")
    add("out", nargs="?", type=Path, metavar="OUT", help="of convert: the .safetensors file to write")
    add("--try", metavar="DATA", dest="data", help="of info: tell by labelled images which network it is, and how fed")
    add("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set, for --try")
    add("--drop-head", action="store_true", help="leave out the last layer, for another number of classes")
    add_file_flags(parser)
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    if not args.file.exists():
        raise DataError(f"there is no file {args.file}; give a file of weights, such as model.safetensors")
    check_file_flags(args, args.file)
    early.require_data(args.data, args.data_folder)
    if args.action == "convert" and args.data is not None:
        raise UsageError("--try is for checkpoint info; name the network that it finds with --model when converting")
    if args.action == "info" and args.out is not None:
        raise UsageError(
            f"checkpoint info takes one file; seen {args.out} as well; to convert: "
            "cnnlab checkpoint convert FILE OUT.safetensors"
        )
    if args.action == "convert" and args.out is None:
        raise UsageError("checkpoint convert writes a .safetensors file; name it: OUT.safetensors")
    require_output("OUT", args.out, (".safetensors",))
    if args.out is not None and args.out.exists():
        raise UsageError(f"{args.out} exists already; it is left as it is; choose another name")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from cnnlab.cli.console import console, print_json

    set_threads(args.threads)
    told = _info(args) if args.action == "info" else _convert(args)
    out = console(json_output=args.json)
    trials = _try(args) if args.data is not None else []
    if args.json:
        print_json({**told, **({"trials": [trial_record(each) for each in trials]} if trials else {})})
        return 0
    for name, value in told.items():
        if name == "mapped":
            changed = {ours: theirs for ours, theirs in value.items() if ours != theirs}
            out.print(f"renamed: {len(changed)} of {len(value)}")
            for ours, theirs in changed.items():
                out.print(f"  {theirs} -> {ours}", markup=False)
        elif value not in (None, [], {}, ""):
            held = [f"{key} {each}" for key, each in value.items()] if isinstance(value, dict) else value
            joint = "; " if name in MAY_BE else ", "
            shown = joint.join(map(str, held)) if isinstance(held, list) else held
            out.print(f"{name.replace('_', ' ')}: {shown}", markup=False)
    if trials:
        print_trials(out, trials, args.data)
        _tell_winner(out, args, trials)
    return 0


def _try(args: argparse.Namespace) -> list[Trial]:
    from cnnlab.evaluate.trial import try_all

    return try_all(args.file, args.data, known_of(args), folder=args.data_folder, device=args.device)


def _tell_winner(out: Console, args: argparse.Namespace, trials: list[Trial]) -> None:
    from cnnlab.evaluate.trial import clear_winner

    best = clear_winner(trials)
    if best is None:
        out.print("these images do not tell which network it is; give more, or others", markup=False)
        return
    mean, std = (",".join(f"{each:g}" for each in values) for values in (best.preprocess.mean, best.preprocess.std))
    flags = f"--model {best.candidate} --mean {mean} --std {std}"
    out.print(f"next: {command('eval', args.file, args.data, *which_of(args).flags())} {flags}", markup=False)


def _info(args: argparse.Namespace) -> dict[str, Any]:
    from cnnlab.models.lookalikes import looks_like
    from cnnlab.models.official_weights import find_by_sha256
    from cnnlab.models.recognise import recognise
    from cnnlab.models.twins import lacking, with_twins

    weights = which_of(args).read(args.file)
    tensors = weights.tensors
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    exact = recognise(shapes)
    fits = with_twins(exact)
    published = find_by_sha256(weights.sha256)
    return {
        "file": str(args.file),
        "format": weights.format,
        "taken_from": weights.wrapper,
        "names_without": weights.prefix,
        "notes": list(weights.notes),
        "other_keys": list(weights.others),
        "holds": dict(weights.values),
        "sha256": weights.sha256,
        "published_as": published.filename if published else None,
        "entries": len(tensors),
        "numbers": sum(tensor.numel() for tensor in tensors.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}),
        "fits": [f"{each} ({each.what})" if each.what else str(each) for each in fits],
        "num_classes": network_classes(exact[0]) if exact else None,
        "may_also_be": lacking(exact),
        "looks_like": sorted({each.model for each in exact}) if exact else looks_like(shapes),
    }


def network_classes(candidate: Candidate) -> int:
    """The number of classes of a candidate, as its file or its builder has it."""
    import inspect

    from cnnlab.models.catalog import MODELS

    default = inspect.signature(MODELS[candidate.model].build).parameters["num_classes"].default
    return int(str(candidate.options.get("num_classes", default)))


def _convert(args: argparse.Namespace) -> dict[str, Any]:
    from safetensors.torch import save_file

    from cnnlab.models.weights import load_weights

    weights = which_of(args).read(args.file)
    candidate = _target(args, weights)
    network = candidate.create()
    report = load_weights(network, weights, drop_head=args.drop_head)
    kept = {ours: tensor.contiguous() for ours, tensor in network.state_dict().items() if ours in report.mapped}
    aside = args.out.with_name(args.out.name + ".incomplete")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, aside)
    aside.replace(args.out)
    return {
        "file": str(args.file),
        "out": str(args.out),
        "model": candidate.model,
        "options": candidate.own_options(),
        "num_classes": network.num_classes,
        "found": list(report.found),
        "family": report.family,
        "mapped": report.mapped,
        "reshaped": list(report.reshaped),
        "left_out": list(report.left_out),
        "folded": list(report.folded),
        "may_also_be": list(report.twins),
    }


def _target(args: argparse.Namespace, weights: WeightsFile) -> Candidate:
    """The network to convert for: the one that is named, or the only one that fits; twins are never chosen between.

    Raises:
        DataError: the file does not fit the network that is named.
        UsageError: several networks fit, or none.
    """
    from cnnlab.evaluate.strangers import candidates, the_candidate
    from cnnlab.models.official_weights import find_by_sha256
    from cnnlab.models.recognise import Candidate

    known = known_of(args)
    if args.drop_head and args.model is not None:
        return Candidate(args.model, known.options)
    if args.model is not None:
        return candidates(weights, known)[0]
    return the_candidate(weights, known, find_by_sha256(weights.sha256))
