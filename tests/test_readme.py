"""What README.md and docs/ tell people to type is typed here.

Blocks marked ```bash run and ```python run are executed, in order, in one empty folder a page. In every other
```bash block each `cnnlab` command must at least be understood by that command's own parser.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnlab.cli.main import COMMANDS
from cnnlab.cli.parser import Parser
from cnnlab.errors import CnnlabError, UsageError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
ENDS_OF_A_COMMAND = {"&&", "||", ";", "|", "&", ">", ">>", "2>", "<"}
PREFIXES = (("uv", "run"), ("python", "-m"), ("python3", "-m"))  # what may stand before `cnnlab`

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, whether it is to be run, and its lines."""

    language: str
    is_run: bool
    code: str


def blocks(text: str) -> list[Block]:
    """Every fenced block of a page."""
    found = []
    for match in FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        lines = [line.removeprefix(match["indent"]) for line in match["code"].splitlines()]
        found.append(Block(language, "run" in words, "\n".join(lines) + "\n"))
    return found


def commands(code: str) -> Iterator[list[str]]:
    """The simple commands of a shell block, as words; comments, pipes and redirections cut them off."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        words.whitespace_split = True  # a comma parts no words
        command: list[str] = []
        for word in [*words, ";"]:
            if word in ENDS_OF_A_COMMAND:
                yield command
                command = []
            else:
                command.append(word)


def cnnlab_arguments(command: list[str]) -> list[str] | None:
    """What a command gives `cnnlab`; None where it is another program."""
    while command and "=" in command[0]:  # variables set for one command
        command = command[1:]
    for prefix in PREFIXES:
        if tuple(command[: len(prefix)]) == prefix:
            command = command[len(prefix) :]
    return command[1:] if command[:1] == ["cnnlab"] else None


def parse(arguments: list[str]) -> None:
    """Parse as `cnnlab.cli.main` does, without running."""
    if not arguments or arguments[0] in ("-h", "--help", "-V", "--version"):
        return
    if arguments[0] not in COMMANDS:
        raise UsageError(f"no command {arguments[0]!r}")
    module = importlib.import_module(f"cnnlab.cli.{COMMANDS[arguments[0]][0]}")
    parser = Parser(prog=f"cnnlab {arguments[0]}")
    module.add_arguments(parser)
    if not {"-h", "--help"} & set(arguments):
        parser.parse(arguments[1:])


def misunderstood(text: str) -> list[str]:
    """The `cnnlab` commands of a page that their own parser refuses, each with why."""
    found = []
    for block in blocks(text):
        for command in commands(block.code) if block.language in ("bash", "sh", "console") else ():
            arguments = cnnlab_arguments(command)
            try:
                parse(arguments or [])
            except CnnlabError as error:
                found.append(f"{shlex.join(command)}: {error}")
    return found


def run_blocks(text: str, folder: Path) -> list[str]:
    """Run a page's blocks in `folder`, in order; the failures, each with its code and what it printed."""
    environment = {**os.environ, "PATH": f"{_tools(folder)}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": _path()}
    work = folder / "work"
    work.mkdir()
    failures = []
    for block in blocks(text):
        if not block.is_run:
            continue
        start = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[block.language]
        done = subprocess.run(
            [*start, block.code], cwd=work, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        if done.returncode:
            failures.append(f"{block.code}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return failures


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))


def _tools(folder: Path) -> Path:
    """A folder with `cnnlab` and `python`, both of this very Python."""
    tools = folder / "bin"
    tools.mkdir()
    for name, arguments in (("cnnlab", "-m cnnlab "), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    return tools


@every_page
def test_every_command_shown_is_understood(page: Path) -> None:
    assert misunderstood(page.read_text(encoding="utf-8")) == []


@every_page
def test_every_block_marked_run_runs(page: Path, tmp_path: Path) -> None:
    assert run_blocks(page.read_text(encoding="utf-8"), tmp_path) == []


@every_page
def test_a_block_marked_run_is_of_a_language_that_is_run(page: Path) -> None:
    marked = [block.language for block in blocks(page.read_text(encoding="utf-8")) if block.is_run]
    assert set(marked) <= {"bash", "python"}


def test_the_readme_has_the_two_commands_and_something_to_run() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = readme.splitlines()
    assert "python3 -m venv .venv && . .venv/bin/activate" in lines
    assert "pip install uv && uv run cnnlab train" in lines
    assert "pip install uv && uv run pytest" in lines
    assert any(block.is_run for block in blocks(readme))


# -- the checks themselves can fail ------------------------------------------------------------------------------

WRONG_LINES = [
    "cnnlab trian",
    "pip install uv && uv run cnnlab train --epohcs 3",
    "cnnlab eval runs/a | tee log; cnnlab eval",
    "OMP_NUM_THREADS=1 python -m cnnlab train \\\n  --seed x",
    "$ cnnlab predict runs/a",
]
RIGHT_LINES = [
    "cnnlab train --help  # anything",
    "cnnlab --version && echo --epohcs",
    'cnnlab train photos/ --set "optimizer.lr=0.1" > log 2>&1',
    "# cnnlab trian",
    "tensorboard --logdir cnnlab trian",
]


@pytest.mark.parametrize("line", WRONG_LINES)
def test_a_wrong_line_is_found(line: str) -> None:
    assert len(misunderstood(f"Text.\n```bash\n{line}\n```\n")) == 1


@pytest.mark.parametrize("line", RIGHT_LINES)
def test_a_right_line_is_left_alone(line: str) -> None:
    assert misunderstood(f"Text.\n```bash\n{line}\n```\n") == []


@pytest.mark.parametrize("block", ["```bash run\nfalse\n```", "```python run\nassert 1 == 2\n```"])
def test_a_block_that_fails_is_found(block: str, tmp_path: Path) -> None:
    [failure] = run_blocks(block, tmp_path)
    assert "ended with 1" in failure


def test_blocks_of_a_page_share_a_folder_and_know_cnnlab(tmp_path: Path) -> None:
    page = (
        "```bash\nfalse\n```\n1. Then:\n   ```bash run\n   cnnlab --version > said.txt\n   ```\n"
        "```python run\nimport cnnlab\nassert cnnlab.__version__ in open('said.txt', encoding='utf-8').read()\n```\n"
    )
    assert [block.is_run for block in blocks(page)] == [False, True, True]
    assert run_blocks(page, tmp_path) == []


def test_the_page_of_what_people_have_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "what-people-have.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py|\.ci/run)`", page))
    assert len(named) > 40
    assert [each for each in sorted(named) if not (ROOT / each).is_file()] == []
