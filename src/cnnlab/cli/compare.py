"""Hold runs against each other on the same images: accuracy, paired tests, classes, cost, where they disagree."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.cli import early
from cnnlab.cli.outputs import PAGE, require_output, told, try_to_write, with_problem
from cnnlab.cli.parser import add_device, add_json, add_out
from cnnlab.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.evaluate.compare import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab compare` takes."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN|DATA",
        help="two run folders, bundles or folders of seeds, or more; then a data set or a folder (default: their own)",
    )
    parser.add_argument("--split", metavar="NAME", help="train, val or test (default: test, else val)")
    parser.add_argument("--protocol", metavar="NAME", help="how images are looked at (default: each run's own)")
    add_out(parser, "--report", metavar="FILE", help="write a page, such as compare.html")
    parser.add_argument("--data-folder", type=Path, metavar="DIR", help="your own copy of a published data set")
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    from cnnlab.evaluate.locate import runs_and_data, seeds_of

    early.require_split(args.split)
    early.require_protocols([args.protocol] if args.protocol else [])
    runs, data = runs_and_data(args.runs)
    if len(runs) < 2:
        raise UsageError(f"compare needs two runs or more; seen {len(runs)}; say: cnnlab compare RUN RUN")
    early.require_networks(seed for run in runs for seed in seeds_of(run))
    early.require_data(data, args.data_folder)
    require_output("--out", args.report, PAGE)


def run(args: argparse.Namespace) -> int:
    """Compare as the arguments say."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.evaluate.compare import compare
    from cnnlab.evaluate.locate import runs_and_data, seeds_of
    from cnnlab.evaluate.predict import original_image
    from cnnlab.report.compare_page import compare_page
    from cnnlab.report.overlay import read_curves
    from cnnlab.report.page import write_page

    set_threads(args.threads)
    runs, data = runs_and_data(args.runs)
    found, part = compare(
        runs, data, folder=args.data_folder, protocol=args.protocol, split=args.split, device=args.device
    )
    images = {each.index: original_image(part, each.index) for each in found.disagreements if args.report}
    curves = read_curves({each.run: seeds_of(run)[0] for each, run in zip(found.runs, runs, strict=True)})

    def write(path: Path) -> None:
        write_page(path, compare_page(asdict(found), images, path.parent, curves))

    problem = try_to_write(args.report, write)
    report = args.report if problem is None else None
    if args.json:
        print_json(with_problem({**asdict(found), "report": str(report) if report else None}, problem))
    else:
        _tell(console(json_output=False), found, report)
    return told(problem)


def _tell(out: Console, found: Comparison, report: Path | None) -> None:
    from cnnlab.report.compare_page import p_value, points

    out.print(f"{found.images:,} images, the {found.split} part of {found.data}", markup=False)
    for note in found.notes:
        out.print(note, markup=False)
    out.print()
    _tell_runs(out, found)
    for pair in found.pairs:
        low, high = pair.interval95
        out.print()
        out.print(f"{pair.first} against {pair.second}: {pair.words}", markup=False, style="bold")
        out.print(
            f"  difference {points(100 * pair.difference)} points (95% interval {points(100 * low)} to "
            f"{points(100 * high)}), p {p_value(pair.p_holm)} by {pair.test}"
            + (f", corrected for {len(found.pairs)} pairs" if len(found.pairs) > 1 else ""),
            markup=False,
        )
        if pair.only_first is not None:
            out.print(
                f"  only {pair.first} recognises {pair.only_first:,} images, only {pair.second} {pair.only_second:,}"
            )
    out.print(f"\n{found.disagreeing_images:,} images are recognised by some and not by others")
    out.print(f"page {report}" if report else "with --out compare.html: classes, and the images", markup=False)


def _tell_runs(out: Console, found: Comparison) -> None:
    from rich.text import Text

    from cnnlab.cli.console import macs, percent, table

    told = ("network", "protocol", "accuracy", "95% interval", "seeds", "parameters", "MACs", "ms", "ratio")
    made = table("run", *told, optional=("network", "protocol", *told[4:]))
    for column in made.columns[3:]:
        column.justify = "right"
    for each in found.runs:
        low, high = map(percent, each.interval95)
        seeds = "1" if each.std is None else f"{len(each.seeds)}, deviation {percent(each.std)}"
        cost = (f"{each.parameters:,}", macs(each.macs))
        speed = (f"{1000 * each.latency_seconds:.2f}", f"{each.latency_ratio:.2f}")
        accuracy = (percent(each.top1), f"{low} to {high}", seeds)
        made.add_row(Text(each.run), each.model, each.protocol, *accuracy, *cost, *speed)
    out.print(made)
