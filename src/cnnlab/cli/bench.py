"""Measure the performance figures here: ours beside those of the peers that are installed, in turns.

Without a ROW the rows are listed with what they cost, and those that fit into the minutes are run. Figures of a GPU are
measured by bench/gpu.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli.outputs import PAGE, require_output, require_output_folder, told, try_to_write, with_problem
from cnnlab.cli.parser import add_json, add_out, positive_float, positive_int
from cnnlab.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from cnnlab.bench.row import Case, Plan, Row

MINUTES = 5.0
# As `bench.catalog.ROWS` has them; a test holds both against each other.
NAMES = (
    *("startup", "predict-folder", "resnet20-train", "fast-step", "infer-resnet18", "infer-resnet50"),
    *("infer-inception_v3", "infer-vgg16", "growth", "networks", "time-to-accuracy"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab bench` takes."""
    add = parser.add_argument
    add("rows", nargs="*", metavar="ROW", help="which; without any they are listed, and those that fit are run")
    add("--minutes", type=positive_float, metavar="M", help=f"without a ROW: run what fits in (default {MINUTES:g})")
    add("--rounds", type=positive_int, metavar="N", help="rounds of turns to take medians of (default: the row's own)")
    add("--runs", nargs="+", type=Path, default=[], metavar="RUN", help="run folders, for time-to-accuracy")
    add("--plot", type=Path, metavar="FOLDER", help="draw the plots as pictures into this folder")
    add_out(parser, "--report", metavar="FILE.html", help="write a page with tables and charts")
    add("--threads", type=positive_int, metavar="N", help="CPU threads (default: all cores)")
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    for name in args.rows:
        if name not in NAMES:
            raise unknown_name("row", name, NAMES)
    if args.rows and args.minutes:
        raise UsageError("--minutes chooses rows by what they cost; leave out either it or the names of rows")
    require_output("--out", args.report, PAGE)
    require_output_folder("--plot", args.plot)


def run(args: argparse.Namespace) -> int:
    """Measure the rows asked for, then print their tables or the JSON object, and write page and pictures."""
    from cnnlab.bench.catalog import ROWS, require_rows, within
    from cnnlab.cli.console import console, print_json

    out = console(json_output=args.json)
    rows = require_rows(args.rows)
    if not rows:
        _list(out, ROWS)
        rows = require_rows(within(args.minutes or MINUTES))
    record = _measure(rows, args, out)
    _print(out, record)
    problems = [each for each in (_draw(out, record, args.plot), _write(out, record, args.report)) if each]
    problem = "; ".join(problems) or None
    if args.json:
        print_json(with_problem(record, problem))
    return told(problem)


def _list(out: Console, rows: Mapping[str, Row]) -> None:
    from cnnlab.cli.console import table

    made = table("row", "minutes, about", "what is measured")
    made.columns[1].justify = "right"
    for name, row in rows.items():
        made.add_row(name, f"{row.minutes:g}", row.what)
    out.print(made)
    out.print()


def _measure(rows: Mapping[str, Row], args: argparse.Namespace, out: Console) -> dict[str, Any]:
    """The record of all rows: their cases with values and ratios, plots, the machine and what is not installed."""
    from dataclasses import asdict

    import torch

    from cnnlab.bench.peers import missing
    from cnnlab.bench.row import Plan
    from cnnlab.cli.train import set_threads
    from cnnlab.measure.machine import measure_machine
    from cnnlab.train.record import environment

    set_threads(args.threads)
    cpu = torch.device("cpu")
    machine = measure_machine(cpu, torch.float32)
    absent = missing(tuple(dict.fromkeys(name for row in rows.values() for name in row.peers)))

    def say(message: str) -> None:
        out.print(message, markup=False, style="dim")

    return {
        "rows": [
            _row(name, row, Plan(args.rounds or row.rounds, args.threads, tuple(args.runs), say))
            for name, row in rows.items()
        ],
        "missing": absent,
        "machine": asdict(machine),
        "environment": environment(cpu),
    }


def _row(name: str, row: Row, plan: Plan) -> dict[str, Any]:
    import time
    from dataclasses import asdict

    started = time.monotonic()
    found = row.measure(plan)
    return {
        "row": name,
        "what": row.what,
        "rounds": plan.rounds,
        "seconds": time.monotonic() - started,
        "cases": [_case(each) for each in found.cases],
        "plots": [asdict(each) for each in found.plots],
        "figures": dict(found.figures),
        "notes": list(found.notes),
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "unit": case.unit,
        "against": case.against,
        "values": {way: list(values) for way, values in case.values.items()},
        "ratios": {way: case.ratio(way) for way in case.values},
    }


def _print(out: Console, record: dict[str, Any]) -> None:
    from cnnlab.cli.console import table
    from cnnlab.report.bench_page import COLUMNS, cells, notes

    made = table("row", *COLUMNS)
    for column in made.columns[3:]:
        column.justify = "right"
    for row in record["rows"]:
        for line in cells(row):
            made.add_row(row["row"], *line)
    out.print(made)
    for said in [*(each for row in record["rows"] for each in row["notes"]), *notes(record)]:
        out.print(said, markup=False)
    held, best = record["environment"], record["machine"]
    out.print(
        f"{held['processor']}, {held['threads']} of {held['cores']} cores: a float32 matrix product reaches "
        f"{1e-9 * best['macs_per_second']:.0f} GMAC/s, a copy {1e-9 * best['bytes_per_second']:.1f} GB/s",
        markup=False,
    )


def _draw(out: Console, record: dict[str, Any], folder: Path | None) -> str | None:
    """Draw the plots; returns why they could not be written."""
    from cnnlab.report.bench_plots import draw_bench

    drawn: list[Path] = []
    problem = try_to_write(folder, lambda path: drawn.extend(draw_bench(record, path)))
    for path in drawn:
        out.print(f"plot: {path}", markup=False)
    return problem


def _write(out: Console, record: dict[str, Any], file: Path | None) -> str | None:
    """Write the page; returns why it could not be written."""
    from cnnlab.report.bench_page import bench_page
    from cnnlab.report.page import write_page

    problem = try_to_write(file, lambda path: write_page(path, bench_page(record)))
    if file is not None and problem is None:
        out.print(f"page: {file}", markup=False)
    return problem
