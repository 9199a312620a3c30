"""Say what is on photos: the most probable classes of each file, or of each image in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, positive_int
from cnnlab.cli.strangers import RUN_HELP, add_file_flags, check_file_flags, opened
from cnnlab.cli.train import set_threads, share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab predict` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    parser.add_argument("--top", type=positive_int, default=5, metavar="K", help="how many classes (default 5)")
    parser.add_argument(
        "--fast", action="store_true", help="fold norms and pack filters first; answers are equal but for rounding"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write them to a .csv, .json or .parquet file")
    parser.add_argument(
        "--max-bad",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="how many files may be unreadable before the command fails with 3: 0 (default) to 1; all are named",
    )
    add_file_flags(parser)
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    from cnnlab.evaluate.predictions import ENDINGS, require_writable

    early.require_networks([args.run])
    check_file_flags(args, args.run)
    if args.out is not None:
        require_writable(args.out)
    require_output("--out", args.out, ENDINGS)
    early.require_files(args.images)


def run(args: argparse.Namespace) -> int:
    """Predict; files that cannot be read are named, the others answered."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, percent, print_json
    from cnnlab.data.damage import Damaged
    from cnnlab.errors import ImageError
    from cnnlab.evaluate.predictions import find_images, write_predictions
    from cnnlab.text import printable

    set_threads(args.threads)
    found = find_images(args.images)
    files = found.files
    classifier = opened(args, args.run)
    damaged = Damaged()
    answers = (classifier.optimised() if args.fast else classifier).predict_files(files, args.top, damaged)
    problem = try_to_write(args.out, lambda path: write_predictions(path, files, answers))
    out_file = args.out if problem is None else None
    refused = [
        {"path": str(file), "reason": str(each)}
        for file, each in zip(files, answers, strict=True)
        if isinstance(each, ImageError)
    ]
    predictions = [each for each in answers if not isinstance(each, ImageError)]
    out = console(json_output=args.json)
    if args.json:
        record = {
            "run": str(args.run),
            "predictions": [asdict(each) for each in predictions],
            "refused": refused,
            "left_out": list(found.notes),
            "damaged": list(damaged.reasons),
        }
        print_json(with_problem(record, problem))
    for each in [] if args.json or out_file else predictions:
        guesses = ", ".join(f"{name} {percent(p)}" for name, p in zip(each.names, each.probabilities, strict=True))
        out.print(f"{printable(each.path)}: {guesses}", markup=False)
    for note in [] if args.json else (*found.notes, *damaged.notes):
        out.print(f"note: {note}", markup=False)
    for bad in [] if args.json else refused:
        out.print(f"refused: {bad['reason']}", markup=False)
    if not args.json and (out_file or refused):
        where = f" to {out_file}" if out_file else ""
        out.print(f"{len(predictions)} of {len(files)} files answered{where}, {len(refused)} refused", markup=False)
    code = told(problem)
    return ImageError.exit_code if len(refused) > args.max_bad * len(files) else code
