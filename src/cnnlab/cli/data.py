"""Get, measure, split and pack data sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output, require_output_folder
from cnnlab.cli.parser import add_json, integer, number, one_of, positive_int
from cnnlab.errors import command

if TYPE_CHECKING:
    from cnnlab.data.leaks import Leak
    from cnnlab.data.parts import Parts

ACTIONS = ("get", "stats", "split", "pack")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab data` takes."""
    parser.add_argument(
        "action",
        type=one_of("action", ACTIONS),
        metavar="ACTION",
        help="get: fetch and verify; stats: count and measure; split: write a manifest; pack: resize into shards",
    )
    parser.add_argument("data", metavar="DATA", help="cifar10, mnist, fashion_mnist, synthetic, or a folder")
    parser.add_argument("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set")
    parser.add_argument(
        "--pixels",
        type=positive_int,
        metavar="N",
        help="get, stats of a folder: the side its images are brought to (default 64); pack: the shorter side (256)",
    )
    parser.add_argument("--photos", action="store_true", help="stats: of the files as they lie on disk, unresized")
    parser.add_argument("--pca", action="store_true", help="stats: also the principal axes of colour (AlexNet's noise)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="split: the manifest to write (default: DATA/manifest.csv); pack: the folder (default: DATA-packed)",
    )
    parser.add_argument("--manifest", type=Path, metavar="CSV", help="stats, pack: which images, by: cnnlab data split")
    parser.add_argument(
        "--quality", type=integer, default=90, metavar="Q", help="pack: of the JPEGs, 1 to 95 (default 90)"
    )
    parser.add_argument(
        "--val", type=number, default=0.1, metavar="F", help="split: share held out to validate (default 0.1)"
    )
    parser.add_argument(
        "--test", type=number, default=0.1, metavar="F", help="split: share held out to test (default 0.1)"
    )
    parser.add_argument("--seed", type=integer, default=0, metavar="N", help="split: of the choice (default 0)")
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    early.require_data(args.data, args.data_folder, args.manifest)
    if args.action == "split":
        require_output("--out", args.out, (".csv",))
    if args.action == "pack":
        require_output_folder("--out", args.out)


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    from cnnlab.cli.console import print_json

    found = {"get": _get, "stats": _stats, "split": _split, "pack": _pack}[args.action](args)
    if args.json:
        print_json(found)
    return 0


def _load(args: argparse.Namespace, photos: bool = False) -> Any:
    from cnnlab.cli.console import console, download_report
    from cnnlab.data.sources import load

    out = console(json_output=args.json)
    parts = load(
        args.data,
        folder=args.data_folder,
        pixels=args.pixels or 64,
        manifest=args.manifest,
        photos=photos,
        report=download_report(out),
    )
    for note in (*parts.notes, *(f"skipped {name}" for name in parts.skipped)):
        out.print(note, markup=False)
    return parts


def _get(args: argparse.Namespace) -> dict[str, Any]:
    from cnnlab.cli.console import console

    parts = _load(args)
    counts = {"train": len(parts.train), "val": len(parts.val), "test": len(parts.test) if parts.test else 0}
    console(json_output=args.json).print(
        f"{parts.name}: {counts['train']:,} images to train on, {counts['val']:,} to validate, "
        f"{counts['test']:,} to test; {len(parts.class_names)} classes; from {parts.source}; verified",
        markup=False,
    )
    return {"data": parts.name, "source": parts.source, "sha256": parts.sha256, **counts}


def _stats(args: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import asdict

    from rich.markup import escape

    from cnnlab.cli.console import console, table
    from cnnlab.data.leaks import in_words
    from cnnlab.data.stats import splits_of, stats

    parts = _load(args, photos=args.photos)
    found = stats(parts)
    out = console(json_output=args.json)
    made = table("class", *found.counts)
    for place, name in enumerate(found.class_names):
        made.add_row(escape(name), *(f"{counts[place]:,}" for counts in found.counts.values()))
    out.print(made)
    shape = " x ".join(map(str, found.image_shape)) if found.image_shape[1] else "of their own sizes"
    out.print(f"images {shape}, {found.num_bytes / 1e6:,.1f} MB")
    out.print(
        f"mean of channels {_numbers(found.mean)}, deviation {_numbers(found.std)} "
        f"(train, 0 to 1, {found.num_measured:,} images)"
    )
    out.print(
        f"repeated images {found.num_repeats}, images in two splits {found.num_leaks}, in two classes "
        f"{found.num_two_classes}"
    )
    kinds = {"repeats": "repeated", "leaks": "in two splits", "two_classes": "in two classes"}
    pairs = {kind: getattr(found, kind) for kind in kinds}
    for kind, words in kinds.items():
        if pairs[kind]:
            out.print(f"{words}: {in_words(pairs[kind], splits_of(parts))}", markup=False)
    named = {kind: [_named(pair, parts) for pair in each] for kind, each in pairs.items()}
    return {**asdict(found), **named, **(_colour_axes(parts.train, out) if args.pca else {})}


def _named(pair: Leak, parts: Parts) -> dict[str, Any]:
    """Two equal images with what they are called."""
    from dataclasses import asdict

    from cnnlab.data.parts import name_of
    from cnnlab.data.stats import splits_of

    splits = splits_of(parts)
    first = name_of(splits[pair.first_split], pair.first_index)
    return {**asdict(pair), "first": first, "second": name_of(splits[pair.second_split], pair.second_index)}


def _colour_axes(part: Any, out: Any) -> dict[str, Any]:
    from cnnlab.data.stats import colour_pca

    values, axes = (each.tolist() for each in colour_pca(part))
    for value, *axis in zip(values, *axes, strict=True):
        out.print(f"colour axis {_numbers(tuple(axis))}, eigenvalue {value:.5f}")
    return {"eigenvalues": values, "eigenvectors": axes}


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _split(args: argparse.Namespace) -> dict[str, Any]:
    from cnnlab.cli.console import console
    from cnnlab.data.folder import split_folder

    folder = Path(args.data)
    out = args.out or folder / "manifest.csv"
    notes: list[str] = []
    counts = split_folder(folder, out, val=args.val, test=args.test, seed=args.seed, say=notes.append)
    shown = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    following = command("train", folder, "--manifest", out)
    told = [f"{out}: {shown}", *(f"note: {note}" for note in notes), f"next: {following}"]
    console(json_output=args.json).print("\n".join(told), markup=False)
    return {"manifest": str(out), **counts, "notes": notes}


def _pack(args: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import asdict

    from cnnlab.cli.console import console, download_report
    from cnnlab.data.pack import estimate, pack

    screen = console(json_output=args.json)
    folder = Path(args.data)
    out = args.out or folder.with_name(f"{folder.name}-packed")
    parts, pixels = _load(args, photos=True), args.pixels or 256
    expected = estimate(parts, pixels, args.quality)
    screen.print(f"{out}: about {expected / 1e6:,.0f} MB", markup=False)
    packed = pack(parts, out, pixels=pixels, quality=args.quality, report=download_report(screen))
    for reason in packed.skipped:
        screen.print(f"skipped {reason}", markup=False)
    screen.print(f"{packed.num_images:,} images, {packed.num_bytes / 1e6:,.0f} MB in {packed.num_shards} shards")
    screen.print(f"next: {command('train', out)}", markup=False)
    return {"folder": str(out), "estimated_bytes": expected, **asdict(packed)}
