"""Versions, device and threads: what to put beside a figure, or into a report of a fault."""

from __future__ import annotations

import argparse
from typing import Any

from cnnlab.cli.parser import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab env` takes."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the environment."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.models.device import resolve_device
    from cnnlab.train.record import cache_space, environment

    found = {**environment(resolve_device()), "cache": cache_space()}
    if args.json:
        print_json(found)
        return 0
    out = console(json_output=False)
    for key, value in _shown(found).items():
        out.print(f"{key:<15} {'none' if value is None else value}", markup=False)
    return 0


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    """The same for people: the commit with whether its files were changed, sizes in GB."""
    cache = found["cache"]
    changed = " with changes" if found["git_changed"] else ""
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    told = {name: value for name, value in found.items() if name != "git_changed"}
    return {
        **told,
        "git": found["git"] and f"{found['git']}{changed}",
        "packages": packages,
        "command": " ".join(found["command"]),
        "cache": f"{cache['folder']}, {cache['free_bytes'] / 1e9:,.1f} GB free",
    }
