"""The command line, in this process and as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cnnlab.cli.main import run

SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output; fails if there is anything else there."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Cli = Callable[..., Outcome]


def checked(outcome: Outcome) -> Outcome:
    """Whatever a command was asked, it shows neither a traceback nor an escape byte in a pipe."""
    assert "Traceback" not in outcome.out + outcome.err
    assert "\x1b" not in outcome.out + outcome.err
    return outcome


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(each) for each in arguments])
        return checked(Outcome(code, *capsys.readouterr()))

    return call


def environment(**more: str) -> dict[str, str]:
    """The environment in which `python -m cnnlab` is found, installed or not."""
    path = os.pathsep.join(filter(None, (str(SOURCE), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, **more}


@pytest.fixture
def process(tmp_path: Path) -> Cli:
    """Run a command as a process of its own, in an empty folder."""

    def call(*arguments: object, **more: str) -> Outcome:
        command = [sys.executable, "-m", "cnnlab", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment(**more), cwd=tmp_path, timeout=240, check=False
        )
        return checked(Outcome(done.returncode, done.stdout, done.stderr))

    return call
