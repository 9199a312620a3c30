"""How a command says that it failed: a line for people, and with `--json` one object for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from cnnlab.cli.called import as_called
from cnnlab.text import printable


def complain(message: str) -> None:
    """Print what went wrong on standard error; control characters, which names may hold, become marks."""
    shown = printable(as_called(message), keep="\n")
    print(f"cnnlab: {shown}", file=sys.stderr)


def error_object(kind: str, message: str, exit_code: int) -> dict[str, Any]:
    """What `--json` prints of a failure: `{"error": {"kind": …, "message": …, "exit_code": …}}`."""
    return {"error": {"kind": kind, "message": message, "exit_code": exit_code}}


def fail(kind: str, message: str, exit_code: int, *, as_json: bool) -> int:
    """Tell of a failure, with `as_json` on standard output too; returns the exit code."""
    complain(message)
    if as_json:
        print(json.dumps(error_object(kind, as_called(message), exit_code), indent=1))
    return exit_code
