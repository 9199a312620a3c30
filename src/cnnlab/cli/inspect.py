"""Look into a network: its layers with what each costs and sees, its drawing; filters, maps, embeddings of a run."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early, inside
from cnnlab.cli.outputs import require_output
from cnnlab.cli.parser import add_json, one_of, positive_int
from cnnlab.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.models.paper_figures import PaperFigures
    from cnnlab.models.summary import Layer, Summary

ACTIONS = ("summary", "graph", *inside.ACTIONS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab inspect` takes."""
    parser.add_argument(
        "action",
        type=one_of("action", ACTIONS),
        metavar="ACTION",
        help="summary: a table of the layers; graph: a drawing, as SVG; filters, maps, embed: pictures from a run",
    )
    parser.add_argument(
        "name", metavar="NAME", help="a network, see cnnlab models, or a run folder; filters, maps, embed: a run"
    )
    inside.add_arguments(parser)
    parser.add_argument("--paper", action="store_true", help="the paper's own figures beside ours")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        dest="settings",
        help="an option of the network, such as shortcut=A or num_classes=10",
    )
    parser.add_argument(
        "--pixels", type=positive_int, metavar="N", help="another side of the images (default: the paper's)"
    )
    parser.add_argument(
        "--depth",
        type=positive_int,
        metavar="N",
        help="open modules N calls deep and keep every row (default: blocks folded, activations left out)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.svg", help="where the drawing goes (default: printed; else ACTION.png)"
    )
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    if args.action in inside.ACTIONS:
        inside.check(args)
        return
    if args.source or args.layer or args.tsne:
        raise UsageError(f"SRC, --layer and --tsne go with inspect {', '.join(inside.ACTIONS)}, not {args.action}")
    if args.action == "graph" and (args.paper or args.depth is not None):
        raise UsageError("--paper and --depth are for tables; write cnnlab inspect summary NAME")
    if args.action == "summary" and args.out is not None:
        raise UsageError("--out is for drawings; write cnnlab inspect graph NAME --out FILE.svg")
    require_output("--out", args.out, (".svg",))
    early.require_model_or_network(args.name)


def run(args: argparse.Namespace) -> int:
    """Print the summary, or draw the network."""
    if args.action in inside.ACTIONS:
        return inside.run(args, args.out)
    if args.action == "graph":
        return _draw(args)
    from cnnlab.cli.console import console, print_json
    from cnnlab.models.paper_figures import FIGURES
    from cnnlab.models.summary import summarise_model

    model, pixels, options = _network(args)
    found = summarise_model(model, pixels=pixels, depth=args.depth, **options)
    figures = FIGURES.get(model)
    if args.json:
        print_json(_as_json(args.name, found, figures if args.paper else None) | {"model": model})
        return 0
    out = console(json_output=False)
    _print_layers(out, model, found)
    if args.paper:
        _print_paper(out, model, found, figures)
    return 0


def _draw(args: argparse.Namespace) -> int:
    from cnnlab.cli.console import console, print_json
    from cnnlab.explain.draw import draw_network

    model, pixels, options = _network(args)
    svg = draw_network(model, pixels=pixels, **options)
    if args.out is not None:
        _write(args.out, svg)
    if args.json:
        print_json({"name": args.name, "file": str(args.out)} if args.out else {"name": args.name, "svg": svg})
    elif args.out is None:
        sys.stdout.write(svg)
    else:
        console(json_output=False).print(f"{args.name} drawn: {args.out}", markup=False)
    return 0


def _network(args: argparse.Namespace) -> tuple[str, int | None, dict[str, object]]:
    """The network's name, the side of its images (None: the paper's), and its options: a run's are its own."""
    if not Path(args.name).is_dir():
        return args.name, args.pixels, network_options(args.name, args.settings)
    from cnnlab.evaluate.classifier import read_config

    config = read_config(Path(args.name))
    pixels = config.preprocess.crop_pixels
    own: dict[str, object] = {"num_classes": config.num_classes, "in_channels": config.in_channels, **config.options}
    bordered = pixels + 2 * config.preprocess.pad_pixels if pixels else None
    return config.architecture, args.pixels or bordered, {**own, **network_options(config.architecture, args.settings)}


def _write(file: Path, svg: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}; give --out another file") from error


def network_options(name: str, settings: list[str]) -> dict[str, object]:
    """The builder's options from `option=value` settings, values read as JSON, else as text."""
    from cnnlab.models.catalog import require_model

    known = inspect.signature(require_model(name).build).parameters
    options: dict[str, object] = {}
    for setting in settings:
        option, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} has no '='; write it as --set num_classes=10")
        value = _value(text)
        if option in known and not _fits(value, known[option].default, option):
            raise UsageError(f"--set {setting}: {value!r} does not fit; the default is {known[option].default!r}")
        options[option] = value
    return options


def _value(text: str) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError:
        value = {"True": True, "False": False, "None": None}.get(text, text)
    return value


def _fits(value: object, default: object, option: str) -> bool:
    """Whether a value is of the default's type; whole numbers pass for others, and counts start at 1."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= (0 if option == "hidden" else 1)  # hidden=0: a single layer
    if isinstance(default, tuple):
        return isinstance(value, list)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


# -- for people -----------------------------------------------------------------------------------------------


def _print_layers(out: Console, name: str, found: Summary) -> None:
    from cnnlab.cli.console import table
    from cnnlab.models.catalog import MODELS

    image = _sizes((found.in_channels, *found.image))
    out.print(f"{name}: {MODELS[name].paper}; input {image}; {found.depth} weighted layers deep", markup=False)
    made = table("layer", "kind", "output", "parameters", "MACs", "receptive field", "stride")
    for column in made.columns[2:]:
        column.justify = "right"
    for layer in found.layers:
        made.add_row(*_cells(layer, found))
    made.add_row("total", "", "", f"{found.parameters:,}", _macs(found.macs, found), "", "", style="bold")
    out.print(made)
    if found.unused_parameters:
        used = found.parameters - found.unused_parameters
        out.print(f"{used:,} parameters without what forward does not run (auxiliary heads, for training)")
    out.print(
        "receptive field: pixels a side that one output depends on, padding included; MACs: what papers call FLOPs"
    )


def _cells(layer: Layer, found: Summary) -> tuple[str, ...]:
    from rich.markup import escape

    return (
        escape(layer.name),
        layer.kind + (f" x{layer.repeats}" if layer.repeats > 1 else ""),
        _sizes(layer.output) if layer.output else "",
        f"{layer.parameters:,}" if layer.parameters else "",
        _macs(layer.macs, found) if layer.macs else "",
        "all" if layer.receptive_field == found.image else _sides(layer.receptive_field),
        _sides(layer.stride),
    )


def _sizes(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _sides(sizes: tuple[int, ...] | None) -> str:
    """One number where all sides are equal."""
    if sizes is None:
        return ""
    return str(sizes[0]) if len(set(sizes)) == 1 else _sizes(sizes)


def _macs(count: int, found: Summary) -> str:
    """In full for small networks, in millions for others."""
    return f"{count:,}" if found.macs < 1e8 else f"{count / 1e6:,.2f} M"


# -- beside the paper -----------------------------------------------------------------------------------------


def _print_paper(out: Console, name: str, found: Summary, figures: PaperFigures | None) -> None:
    from cnnlab.cli.console import table

    out.print()
    if figures is None:
        out.print(f"no checked figure of {name} in its paper is known: it prints none, or it was not looked up")
        return
    made = table("", "paper", "ours", "difference")
    for column in made.columns[1:]:
        column.justify = "right"
    for title, row in _beside(found, figures).items():
        made.add_row(title, f"{row['paper']:,}", f"{row['ours']:,}", f"{100 * row['difference']:+.1f}%")
    out.print(made)
    for line in (f"the paper: {figures.text} ({figures.source})", figures.note):
        if line:
            out.print(line, markup=False)


def _beside(found: Summary, figures: PaperFigures) -> dict[str, dict[str, Any]]:
    """Theirs and ours, without the auxiliary heads, and the difference as a share of theirs."""
    ours = {"parameters": found.parameters - found.unused_parameters, "MACs": found.macs}
    theirs = {"parameters": figures.parameters, "MACs": figures.macs}
    return {
        title: {"paper": their, "ours": ours[title], "difference": ours[title] / their - 1}
        for title, their in theirs.items()
        if their is not None
    }


def _as_json(name: str, found: Summary, figures: PaperFigures | None) -> dict[str, Any]:
    from dataclasses import asdict

    values: dict[str, Any] = {
        "name": name,
        "input": _sizes((found.in_channels, *found.image)),
        "parameters": found.parameters,
        "unused_parameters": found.unused_parameters,
        "macs": found.macs,
        "depth": found.depth,
        "layers": [asdict(layer) for layer in found.layers],
    }
    if figures is not None:
        beside = {title.lower(): row for title, row in _beside(found, figures).items()}
        values["paper"] = {"text": figures.text, "source": figures.source, "note": figures.note, **beside}
    return values
