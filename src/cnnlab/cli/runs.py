"""List the runs in a folder: network, data, accuracy with its 95% interval, time, and whether each has finished."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.cli.parser import add_json
from cnnlab.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from cnnlab.train.run_list import ListedRun

RUNS = Path("runs")  # where `cnnlab train` keeps them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab runs` takes."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where to look (default: runs)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List them."""
    from dataclasses import asdict

    from cnnlab.cli.console import console, print_json
    from cnnlab.train.run_list import list_runs

    folder = args.folder or RUNS
    if args.folder is not None and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give one that holds runs, such as runs")
    found = list_runs(folder)
    if args.json:
        print_json({"folder": str(folder), "runs": [asdict(each) for each in found]})
    elif not found:
        console(json_output=False).print(f"no runs in {folder}; cnnlab train makes one", markup=False)
    else:
        _tell(console(json_output=False), folder, found)
    return 0


def _tell(out: Console, folder: Path, found: list[ListedRun]) -> None:
    from rich.text import Text

    from cnnlab.cli.console import clock, table

    titles = ("run", "recipe", "network", "data", "accuracy", "95% interval", "time", "state")
    made = table(*titles, optional=("95% interval", "data", "recipe", "time"))
    for column in made.columns[4:7]:
        column.justify = "right"
    for each in found:
        name = each.run.removeprefix(f"{folder}/")
        time = "" if each.seconds is None else clock(each.seconds)
        about = (Text(name, overflow="fold"), each.recipe, each.model, Text(_near(each.data), overflow="fold"))
        made.add_row(*about, *_accuracy(each), time, each.state)
    out.print(made)
    if any(each.part == "val" for each in found):
        out.print("val: of the validation part, where there is no test part")


def _near(data: str) -> str:
    """Data as it is called from the working folder, where it lies below it."""
    path = Path(data)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else data


def _accuracy(run: ListedRun) -> tuple[str, str]:
    from cnnlab.cli.console import percent

    if run.accuracy is None:
        return "", ""
    shown = percent(run.accuracy) + (" val" if run.part == "val" else "")
    interval = run.interval95
    return shown, f"{100 * interval[0]:.2f} to {percent(interval[1])}" if interval else ""
