"""How long `cnnlab --help` takes, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.turns import take_turns, timed

BARE = "python -c pass"
COMMANDS = {"cnnlab --help": ["-m", "cnnlab", "--help"], BARE: ["-c", "pass"]}


def measure(plan: Plan) -> Found:
    """Seconds until each command has ended."""
    works = {name: partial(timed, partial(_run, arguments)) for name, arguments in COMMANDS.items()}
    return Found((Case("start", "s", take_turns(works, plan.rounds), against=BARE),))


def _run(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
