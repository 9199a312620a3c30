"""Make a run's report.html anew; with --split, after asking its network about the images of that part."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnlab.cli import early
from cnnlab.cli.outputs import require_output_folder
from cnnlab.cli.parser import add_device, add_json
from cnnlab.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab report` takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, finished or not")
    parser.add_argument("data", nargs="?", metavar="DATA", help="a data set or a folder (default: the run's own)")
    parser.add_argument("--split", metavar="NAME", help="ask about train, val or test (default: as asked before)")
    parser.add_argument("--protocol", metavar="NAME", help="how images are looked at (default: the run's own)")
    parser.add_argument("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set")
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    from cnnlab.evaluate.locate import require_run, require_trained

    require_run(args.run)
    if args.split is None and (args.data or args.protocol):
        raise UsageError("which part of the data should be asked about? Add --split val, or --split test")
    if args.split is not None:
        early.require_split(args.split)
        require_trained(args.run)
    early.require_protocols([args.protocol] if args.protocol else [])
    early.require_data(args.data, args.data_folder)
    require_output_folder("report of", args.run)


def run(args: argparse.Namespace) -> int:
    """Make the report as the arguments say."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.train.report import report_run

    set_threads(args.threads)
    path = report_run(args.run) if args.split is None else _asked(args)
    if args.json:
        print_json({"run": str(args.run), "report": str(path)})
    else:
        console(json_output=False).print(f"report {path}", markup=False)
    return 0


def _asked(args: argparse.Namespace) -> Path:
    from cnnlab.errors import command
    from cnnlab.evaluate.answers import answers_from
    from cnnlab.evaluate.classifier import load, trained_on
    from cnnlab.evaluate.examine import examine
    from cnnlab.evaluate.tested_on import load_for, part_of, require_split
    from cnnlab.train.report import report_run
    from cnnlab.types import Split

    require_split(args.split)
    classifier = load(args.run, device=args.device)
    data = args.data or trained_on(args.run)
    parts = load_for([classifier], data, folder=args.data_folder, splits=(Split(args.split),))
    part = part_of(parts, Split(args.split), data)
    why = command("report", args.run)
    found, outcome = examine([classifier], part, protocol=args.protocol, split=Split(args.split), why=why)
    answers = answers_from(outcome, parts.class_names, split=args.split, protocol=found.protocol, part=part)
    return report_run(args.run, answers, part)
