"""Say what is on photos: the most probable classes of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cnnlab.cli.parser import add_device, add_json, positive_int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab predict` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, or a bundle")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files")
    parser.add_argument("--top", type=positive_int, default=5, metavar="K", help="how many classes (default 5)")
    add_device(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Predict; files that cannot be read are named, the others answered."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, percent, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.errors import ImageError
    from cnnlab.evaluate.classifier import load

    set_threads(args.threads)
    classifier = load(args.run, device=args.device)
    out = console(json_output=args.json)
    found: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for path in args.images:
        try:
            found.append(asdict(classifier.predict([path], args.top)[0]))
        except ImageError as error:
            refused.append({"path": str(path), "reason": str(error)})
    if args.json:
        print_json({"run": str(args.run), "predictions": found, "refused": refused})
    for each in [] if args.json else found:
        guesses = ", ".join(
            f"{name} {percent(p)}" for name, p in zip(each["names"], each["probabilities"], strict=True)
        )
        out.print(f"{each['path']}: {guesses}", markup=False)
    for bad in [] if args.json else refused:
        out.print(f"refused: {bad['reason']}", markup=False)
    return ImageError.exit_code if refused else 0
