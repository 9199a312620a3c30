"""Test a trained network on a data set or a folder, by a stated protocol."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnlab.cli.parser import add_device, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab eval` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, or a bundle")
    parser.add_argument("data", nargs="?", metavar="DATA", help="a data set or a folder (default: the run's own)")
    parser.add_argument("--protocol", metavar="NAME", help="center, flip or shift6 (default: the run's own)")
    parser.add_argument("--split", default="test", metavar="NAME", help="train, val or test (default)")
    parser.add_argument("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set")
    add_device(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Test as the arguments say."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, percent, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.evaluate.classifier import evaluate_on, load, trained_on

    set_threads(args.threads)
    classifier = load(args.run, device=args.device)
    data = args.data or trained_on(args.run)
    found = evaluate_on(classifier, data, folder=args.data_folder, protocol=args.protocol, split=args.split)
    if args.json:
        print_json({"run": str(args.run), "data": data, "split": args.split, **asdict(found)})
        return 0
    low, high = map(percent, found.interval95)
    out = console(json_output=False)
    out.print(
        f"[bold]{args.split} accuracy {percent(found.top1)}[/bold] "
        f"(95% interval {low} to {high}), top-5 {percent(found.top5)}"
    )
    views = "1 view" if found.views == 1 else f"{found.views} views"
    out.print(
        f"{found.images:,} images, protocol {found.protocol} ({views} an image), "
        f"loss {found.loss:.3f}, {found.seconds:.1f} s"
    )
    return 0
