"""Versions, device and threads: what to put beside a figure, or into a report of a fault."""

from __future__ import annotations

import argparse

from cnnlab.cli.parser import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab env` takes."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the environment."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.models.device import resolve_device
    from cnnlab.train.record import environment

    found = environment(resolve_device())
    if args.json:
        print_json(found)
        return 0
    out = console(json_output=False)
    for key, value in found.items():
        shown = ", ".join(f"{name} {version}" for name, version in value.items()) if isinstance(value, dict) else value
        out.print(f"{key:<15} {shown}", markup=False)
    return 0
