"""List the networks: year, input, depth, parameters, multiply-accumulates (MACs; papers say FLOPs), paper."""

from __future__ import annotations

import argparse

from cnnlab.cli.parser import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab models` takes."""
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help="such as 'resnet*' (default: all)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the networks that match."""
    import fnmatch
    from dataclasses import asdict

    from cnnlab.cli.console import console, macs, print_json, table
    from cnnlab.errors import unknown_name
    from cnnlab.models.table import read_table

    rows = read_table()
    chosen = [row for row in rows if fnmatch.fnmatch(row.name, args.pattern)]
    if not chosen:
        raise unknown_name("model", args.pattern, [row.name for row in rows], see="cnnlab models")
    if args.json:
        print_json({"models": [asdict(row) for row in chosen]})
        return 0
    made = table(
        "name",
        "year",
        "input",
        "depth",
        "parameters",
        "MACs",
        "weights",
        "paper",
        optional=("input", "year", "depth", "weights", "paper"),
    )
    for column in made.columns[3:6]:
        column.justify = "right"
    for row in chosen:
        made.add_row(
            row.name,
            str(row.year),
            row.input,
            str(row.depth),
            f"{row.parameters:,}",
            macs(row.macs),
            "yes" if row.weights else "",
            row.paper,
        )
    console(json_output=False).print(made)
    return 0
