"""List the networks: year, paper, input, parameters and multiply-accumulates (MACs; papers say FLOPs)."""

from __future__ import annotations

import argparse

from cnnlab.cli.parser import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab models` takes."""
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help="such as 'resnet*' (default: all)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the networks that match."""
    from cnnlab.cli.console import console, print_json, table
    from cnnlab.errors import unknown_name
    from cnnlab.models.catalog import MODELS, list_models
    from cnnlab.models.describe import describe_model

    names = list_models(args.pattern)
    if not names:
        raise unknown_name("model", args.pattern, MODELS)
    rows = [describe_model(name) for name in names]
    if args.json:
        print_json({"models": rows})
        return 0
    made = table("name", "year", "input", "parameters", "MACs", "paper")
    for row in rows:
        made.add_row(
            row["name"],
            str(row["year"]),
            row["input"],
            f"{row['parameters']:,}",
            f"{row['macs'] / 1e6:,.1f} M",
            row["paper"],
        )
    console(json_output=False).print(made)
    return 0
