"""Try on this machine what cnnlab promises to survive: kills, damage, full disks, hostile files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli.outputs import PAGE, require_output, require_output_folder, told, try_to_write, with_problem
from cnnlab.cli.parser import add_json, add_out, positive_float
from cnnlab.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlab.selftest.campaign import Outcome, Part

NAMES = ("kills", "checkpoints", "numbers", "ranks", "workers", "images", "artefacts", "bad-files")
TELL_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab selftest` takes."""
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which (default: all): {', '.join(NAMES)}")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="a slice of each part, two minutes in all (default)")
    extent.add_argument("--full", action="store_true", help="every case: hours, gone on with by the same command")
    parser.add_argument("--cases", type=_cases, metavar="A:B", help="only the cases from A up to B, B not included")
    parser.add_argument("--minutes", type=positive_float, metavar="M", help="begin no case of a part after M minutes")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="keep the record here, and go on with what it lacks (default: a folder that is deleted)",
    )
    add_out(parser, "--report", metavar="FILE", nargs="?", const=Path("selftest.html"), help="a page")
    add_json(parser)


def _cases(text: str) -> range:
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of cases; accepted: FIRST:LAST, such as 0:500")
    return range(int(first), int(last))


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    if stranger := next((name for name in args.parts if name not in NAMES), None):
        raise unknown_name("part of the self-test", stranger, NAMES)
    require_output("--out", args.report, PAGE)
    require_output_folder("--folder", args.folder)


def run(args: argparse.Namespace) -> int:
    """Run the parts asked for and print one table; 1 when something did not hold."""
    import tempfile
    from contextlib import ExitStack

    from cnnlab.cli.console import console, print_json
    from cnnlab.cli.train import set_threads
    from cnnlab.selftest.parts import PARTS

    slow = args.full or args.cases
    chosen = [PARTS[name] for name in args.parts or PARTS if slow or PARTS[name].quick]
    if not chosen:
        raise UsageError(f"{', '.join(args.parts)} takes too long for a quick run; add --full")
    set_threads(1)  # a forked process cannot use the threads of this one
    out = console(json_output=args.json)
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cnnlab-selftest-")))
        summaries = [_run_part(part, args, folder, out) for part in chosen]
        problem = _show(summaries, args, folder, out)
    reached = all(each["reached"] for each in summaries)
    if args.json:
        print_json(with_problem({"reached": reached, "parts": summaries}, problem))
    return told(problem) if reached else 1


def _run_part(part: Part, args: argparse.Namespace, folder: Path, out: Any) -> dict[str, Any]:
    """Run a part's cases with a line of progress now and then; returns its summary."""
    import time

    from cnnlab.selftest.campaign import run_part, write_summary

    cases: Sequence[int] = range(part.cases) if args.full else part.quick
    if args.cases is not None:
        cases = range(part.cases)[args.cases.start : args.cases.stop]
    told, count = time.monotonic(), 0

    def tell(outcome: Outcome) -> None:
        nonlocal told, count
        count += 1
        if not outcome.passed or time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            sign = "" if outcome.passed else "FAILED "
            out.print(f"{part.name} {count:,} of {len(cases):,}: {sign}{outcome.seen}", markup=False)

    run_part(part, cases, folder, seconds=60 * (args.minutes or float("inf")), tell=tell)
    return write_summary(part, folder)


def _show(summaries: Sequence[dict[str, Any]], args: argparse.Namespace, folder: Path, out: Any) -> str | None:
    """Print the table, and write the page where one is asked for; returns why it could not be written."""
    from rich.markup import escape

    from cnnlab.cli.console import table
    from cnnlab.report.page import write_page
    from cnnlab.report.selftest_page import selftest_page
    from cnnlab.selftest.campaign import held_environment
    from cnnlab.selftest.summary import COLUMNS, kind_rows, row

    rows = [row(each) for each in summaries]
    made = table(*COLUMNS)
    for cells in rows:
        made.add_row(*map(escape, cells))
    out.print(made)
    if args.report is None:
        return None
    kinds = [kind_rows(each) for each in summaries]
    text = selftest_page(summaries, COLUMNS, rows, kinds, held_environment(folder))
    problem = try_to_write(args.report, lambda path: write_page(path, text))
    out.print(f"report {args.report}" if problem is None else problem, markup=False)
    return problem
