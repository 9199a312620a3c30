"""Look at files of weights, and convert them: torchvision's, timm's, CIFAR checkpoints, Cadene's and our own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output
from cnnlab.cli.parser import add_json, one_of
from cnnlab.errors import DataError, UsageError

ACTIONS = ("info", "convert")


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
    add("--model", metavar="NAME", help="the network it is for (default: the one it looks like)")
    add("--key", metavar="NAME", help="which weights to take, where the file holds several: info names them")
    add("--ema", action="store_true", help="take the weights that were averaged over the training (EMA)")
    add("--drop-head", action="store_true", help="leave out the last layer, for another number of classes")
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    if not args.file.exists():
        raise DataError(f"there is no file {args.file}; give a file of weights, such as model.safetensors")
    if args.model is not None:
        early.require_model(args.model)
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

    told = _info(args) if args.action == "info" else _convert(args)
    if args.json:
        print_json(told)
        return 0
    out = console(json_output=False)
    for name, value in told.items():
        if name == "mapped":
            changed = {ours: theirs for ours, theirs in value.items() if ours != theirs}
            out.print(f"renamed: {len(changed)} of {len(value)}")
            for ours, theirs in changed.items():
                out.print(f"  {theirs} -> {ours}", markup=False)
        elif value not in (None, [], {}, ""):
            held = [f"{key} {each}" for key, each in value.items()] if isinstance(value, dict) else value
            shown = ", ".join(map(str, held)) if isinstance(held, list) else held
            out.print(f"{name.replace('_', ' ')}: {shown}", markup=False)
    return 0


def _info(args: argparse.Namespace) -> dict[str, Any]:
    from cnnlab.models.lookalikes import looks_like
    from cnnlab.models.weight_files import read_weights

    weights = read_weights(args.file, key=args.key, ema=args.ema)
    tensors = weights.tensors
    return {
        "file": str(args.file),
        "format": weights.format,
        "taken_from": weights.wrapper,
        "names_without": weights.prefix,
        "notes": list(weights.notes),
        "other_keys": list(weights.others),
        "holds": dict(weights.values),
        "sha256": weights.sha256,
        "entries": len(tensors),
        "numbers": sum(tensor.numel() for tensor in tensors.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}),
        "looks_like": looks_like({name: tuple(tensor.shape) for name, tensor in tensors.items()}),
    }


def _convert(args: argparse.Namespace) -> dict[str, Any]:
    from safetensors.torch import save_file

    from cnnlab.models.catalog import create_model
    from cnnlab.models.weights import load_weights

    name, classes = _target(args)
    network = create_model(name, **({"num_classes": classes} if classes else {}))
    report = load_weights(network, args.file, drop_head=args.drop_head, key=args.key, ema=args.ema)
    kept = {ours: tensor.contiguous() for ours, tensor in network.state_dict().items() if ours in report.mapped}
    aside = args.out.with_name(args.out.name + ".incomplete")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, aside)
    aside.replace(args.out)
    return {
        "file": str(args.file),
        "out": str(args.out),
        "model": name,
        "num_classes": network.num_classes,
        "found": list(report.found),
        "family": report.family,
        "mapped": report.mapped,
        "reshaped": list(report.reshaped),
        "left_out": list(report.left_out),
    }


def _target(args: argparse.Namespace) -> tuple[str, int | None]:
    """The network to convert for, and its number of classes by the file's last layer; None where the head goes."""
    from cnnlab.models.catalog import create_model
    from cnnlab.models.lookalikes import looks_like
    from cnnlab.models.weight_files import read_weights
    from cnnlab.models.weight_names import head_name, rename

    tensors = read_weights(args.file, key=args.key, ema=args.ema).tensors
    alike = [args.model] if args.model else looks_like({name: tuple(each.shape) for name, each in tensors.items()})
    if not alike:
        raise UsageError(f"{args.file} looks like no network of the catalogue; name it: --model NAME")
    if args.drop_head:
        return alike[0], None
    import torch

    with torch.device("meta"):
        network = create_model(alike[0])
    theirs = rename(tensors, network.state_dict(), head_name(network)).theirs
    head = theirs.get(f"{head_name(network)}.weight")
    return alike[0], len(tensors[head]) if head else None
