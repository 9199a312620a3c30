"""Make a paper's figure or table again, with a verdict: `cnnlab reproduce` makes all, a name that one.

Runs are kept and reused; a list that was interrupted goes on when the same command is given again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.cli.outputs import require_output_folder
from cnnlab.cli.parser import add_device, add_json, one_of, positive_int
from cnnlab.errors import unknown_name

if TYPE_CHECKING:
    from rich.console import Console

SIGNS = {True: "holds", False: "does not hold", None: "not shown"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab reproduce` takes."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what to reproduce, see --list (default: everything)")
    add("--list", action="store_true", help="list what can be reproduced")
    add(
        "--budget",
        type=one_of("budget", ("quick", "full")),
        default="quick",
        metavar="NAME",
        help="quick: minutes on two CPU cores (default); full: as the paper trained",
    )
    add("--runs", type=positive_int, default=1, metavar="N", help="seeds of each training; from 2 on tested over seeds")
    add("--check", action="store_true", help="end with exit code 1 unless every effect is shown")
    add(
        "--folder",
        type=Path,
        default=Path("runs/reproduce"),
        metavar="DIR",
        help="where runs, records and pages are kept (default: runs/reproduce)",
    )
    add_device(parser)
    add_json(parser)


def check(args: argparse.Namespace) -> None:
    """Refuse at once what cannot be."""
    from cnnlab.reproduce.listed import LISTED

    for name in args.names:
        if name not in LISTED:
            raise unknown_name("reproduction", name, LISTED, see="cnnlab reproduce --list")
    if not args.list:
        require_output_folder("--folder", args.folder)


def run(args: argparse.Namespace) -> int:
    """Reproduce as the arguments say, or list what can be."""
    from cnnlab.cli.console import console, print_json, watch_for
    from cnnlab.reproduce.listed import LISTED

    out = console(json_output=args.json)
    if args.list:
        chosen = [(name, *LISTED[name]) for name in args.names or LISTED]
        listed = [{"name": name, "effect": effect, "paper": paper} for name, effect, paper in chosen]
        print_json({"reproductions": listed}) if args.json else _list(out, listed)
        return 0
    from cnnlab.cli.train import set_threads
    from cnnlab.reproduce.catalog import get_reproduction
    from cnnlab.reproduce.plan import Budget
    from cnnlab.reproduce.reproduction import reproduce

    set_threads(args.threads)
    records: list[dict[str, Any]] = []
    for name in args.names or LISTED:
        each = get_reproduction(name)
        out.print(f"{each.name}: {each.effect}", markup=False, style="bold")
        record = reproduce(
            each, args.folder, budget=Budget(args.budget), seeds=args.runs, device=args.device, watch=watch_for(out)
        )
        _tell(out, record, args.folder)
        records.append(record)
    if args.json:
        print_json({"reproductions": records})
    unwritten = any("problem" in each for each in records)
    return int(unwritten or (args.check and any(each["verdict"]["holds"] is not True for each in records)))


def _list(out: Console, listed: list[dict[str, str]]) -> None:
    from rich.text import Text

    from cnnlab.cli.console import table

    made = table("name", "effect", "paper")
    for each in listed:
        made.add_row(*(Text(each[column]) for column in ("name", "effect", "paper")))
    out.print(made)


def _tell(out: Console, record: dict[str, Any], folder: Path) -> None:
    out.print(f"  {SIGNS[record['verdict']['holds']]}: {record['verdict']['words']}", markup=False)
    out.print(f"  {record['ours']}", markup=False)
    page = f"page {folder / record['name'] / 'report.html'}"
    out.print(f"  {record.get('problem', page)}\n", markup=False)
