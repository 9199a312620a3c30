"""The command line as a whole: exit codes, suggestions, pipes, and no traceback whatever happens."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnnlab
from cnnlab.cli.main import COMMANDS

from .conftest import Cli, environment

MISSPELT = {
    "a command": (("trian",), "no command 'trian'; did you mean 'train'"),
    "a flag": (("train", "--epohcs", "1"), "no option --epohcs; did you mean --epochs?"),
    "a flag with =": (("eval", "run", "--protcol=flip"), "no option --protcol=flip; did you mean --protocol?"),
    "a model": (("train", "synthetic", "--model", "resnet_20"), "no model 'resnet_20'; did you mean 'resnet20'"),
    "a pattern": (("models", "resnet_20"), "no model 'resnet_20'; did you mean 'resnet20'"),
    "a recipe": (("train", "--recipe", "fast/cifar"), "no recipe 'fast/cifar'; did you mean 'fast/cifar10'"),
    "a recipe to show": (("recipes", "resnet2015/cifar1"), "did you mean 'resnet2015/cifar10'"),
    "a field": (("train", "synthetic", "--set", "optimiser.lr=1"), "'optimiser.lr'; did you mean 'optimizer'"),
    "a field inside": (("train", "synthetic", "--set", "optimizer.lrr=1"), "'optimizer.lrr'; did you mean 'lr'"),
    "a data set": (("train", "synthetik"), "no data set 'synthetik'; did you mean 'synthetic'"),
    "a data action": (("data", "gett", "cifar10"), "gett"),
}

USAGE = {
    "an argument too many": (("env", "more"), "one argument too many: 'more'"),
    "an argument missing": (("predict", "run"), "IMAGE"),
    "a number that is none": (("train", "--seed", "one"), "--seed"),
    "a length of nothing": (("train", "--epochs", "0"), "0.0 is not above 0"),
    "an infinite time": (("train", "--minutes", "inf"), "inf is not above 0"),
    "half a run": (("train", "--runs", "0"), "0 is not above 0"),
    "a setting without =": (("train", "synthetic", "--set", "lr"), "no '='"),
    "a value that does not fit": (("train", "synthetic", "--set", "batch_size=-1"), "seen -1"),
    "nothing to resume": (("train", "--resume"), "--run FOLDER"),
    "another recipe on resuming": (("train", "--resume", "--run", "r", "--lr", "1"), "--lr cannot change it now"),
    "no such device": (("train", "synthetic", "--device", "gpu"), "no device 'gpu'"),
    "no such run": (("eval", "gone"), "holds no trained network"),
    "no such recipe file": (("train", "--recipe", "gone.json"), "cannot read a recipe from gone.json"),
    "a flag cut short": (("train", "--epoch", "1"), "did you mean --epochs?"),
}

BAD_DATA = {
    "no such folder": (("train", "gone/"), "there is no folder gone"),
    "no such folder to measure": (("data", "stats", "gone/"), "there is no folder gone"),
    "no such folder to divide": (("data", "split", "gone/"), "gone"),
}


def rows(codes: dict[str, tuple[tuple[str, ...], str]], code: int) -> list[object]:
    return [pytest.param(arguments, message, code, id=name) for name, (arguments, message) in codes.items()]


@pytest.mark.parametrize(("arguments", "message", "code"), [*rows(MISSPELT, 2), *rows(USAGE, 2), *rows(BAD_DATA, 3)])
def test_a_mistake_is_one_message_and_its_exit_code(
    arguments: tuple[str, ...], message: str, code: int, cli: Cli
) -> None:
    found = cli(*arguments)
    assert (found.code, found.out) == (code, "")
    assert found.err.startswith("cnnlab: ")
    assert message in found.err


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_help_lists_every_command_and_how_to_begin(arguments: tuple[str, ...], cli: Cli) -> None:
    found = cli(*arguments)
    assert (found.code, found.err) == (0, "")
    assert all(f"\n  {name} " in found.out for name in COMMANDS)
    assert "start here:" in found.out


@pytest.mark.parametrize("arguments", [("models",), ("recipes",), ("reproduce", "--list"), ("models", "resnet2*")])
def test_a_table_fits_80_columns_with_its_names_whole(
    arguments: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    [rows] = cli(*arguments, "--json").json.values()
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli(*arguments).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert {row["name"] for row in rows} <= {line.split(" ")[0] for line in lines}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns(name: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in cli(name, "--help").out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_json(name: str, cli: Cli) -> None:
    found = cli(name, "--help")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"usage: cnnlab {name}")
    assert "--json" in found.out


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_printed(flag: str, cli: Cli) -> None:
    assert cli(flag).out == f"cnnlab {cnnlab.__version__}\n"


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_no_arguments_whatever_end_in_a_traceback(cli: Cli, arguments: list[str]) -> None:
    for command in ("", "models", "recipes", "eval", "predict"):
        found = cli(*([command] if command else []), *arguments)
        assert found.code in (0, 2, 3)


def test_a_fault_of_ours_is_said_in_one_line_and_shown_on_request(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cnnlab.cli.main import run

    monkeypatch.setitem(COMMANDS, "broken", ("not_there", "breaks"))
    found = cli("broken")
    assert found.code == 1
    assert "a fault of cnnlab; CNNLAB_TRACEBACK=1 shows where" in found.err
    assert found.err.count("\n") == 1
    monkeypatch.setenv("CNNLAB_TRACEBACK", "1")
    assert run(["broken"]) == 1
    assert "Traceback" in capsys.readouterr().err


# -- as a process of its own -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--version",), 0), (("recipes", "--json"), 0), (("trian",), 2), (("predict", "gone", "a.jpg"), 2)],
)
def test_a_process_ends_with_the_exit_code(arguments: tuple[str, ...], code: int, process: Cli) -> None:
    assert process(*arguments).code == code


@pytest.mark.parametrize("arguments", [("recipes",), ("recipes", "--json"), ("--help",)])
def test_a_reader_that_goes_away_is_no_fault(arguments: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        command = [sys.executable, "-m", "cnnlab", *arguments]
        done = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path, timeout=120, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_head_gets_its_line(tmp_path: Path) -> None:
    command = f"set -o pipefail; '{sys.executable}' -m cnnlab recipes | head -1"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["name", "paper", "network", "data", "length", "expected"]


def on_a_terminal(*arguments: str, **more: str) -> bytes:
    """What a command writes where its output is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cnnlab", *arguments]
    env = environment(TERM="xterm-256color", **more)
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as running:
        os.close(theirs)
        written = b""
        try:
            while some := os.read(ours, 65536):
                written += some
        except OSError:  # Linux: the other side was closed
            pass
        os.close(ours)
    assert running.returncode == 0
    return written


def test_a_terminal_gets_bold_titles_and_none_with_no_color() -> None:
    assert b"\x1b[" in on_a_terminal("recipes")
    assert b"\x1b" not in on_a_terminal("recipes", NO_COLOR="1")
