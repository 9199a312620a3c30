from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .conftest import Cli


def copied(run: Path, to: Path) -> None:
    """Copy a run as one that has learned."""
    shutil.copytree(run, to)
    result = json.loads((to / "result.json").read_text())
    (to / "result.json").write_text(json.dumps({**result, "learned": True}))


def test_runs_are_listed_with_their_accuracy_and_state(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    copied(tiny_run, tmp_path / "runs" / "mine")
    shutil.copytree(tiny_run, tmp_path / "runs" / "begun")
    (tmp_path / "runs" / "begun" / "result.json").unlink()
    found = cli("runs", "--json").json
    begun, mine = found["runs"]
    assert (mine["run"], mine["state"], mine["recipe"], mine["model"]) == ("runs/mine", "finished", "tiny", "resnet20")
    assert mine["part"] in ("test", "val")
    assert 0 <= mine["interval95"][0] <= mine["accuracy"] <= mine["interval95"][1] <= 1
    assert (begun["state"], begun["accuracy"]) == ("interrupted", None)
    lines = cli("runs").out.splitlines()
    assert lines[0].split() == ["run", "recipe", "network", "data", "accuracy", "95%", "interval", "time", "state"]
    assert "mine" in "".join(lines)
    assert "finished" in "".join(lines)


@pytest.mark.parametrize("width", [55, 60, 80])
def test_names_and_figures_are_whole_in_narrow_windows(
    cli: Cli, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    copied(tiny_run, tmp_path / "runs" / "a name of some length")
    monkeypatch.setenv("COLUMNS", str(width))
    found = cli("runs").out
    shown = next(line for line in found.splitlines() if line.startswith("a name of some length"))
    assert "%" in shown
    assert shown.rstrip().endswith("finished")
    assert max(map(len, found.splitlines()[:2])) <= width


def test_where_there_are_none_it_says_so(cli: Cli, tmp_path: Path) -> None:
    found = cli("runs")
    assert (found.code, found.out) == (0, "no runs in runs; cnnlab train makes one\n")
    assert cli("runs", "--json").json == {"folder": "runs", "runs": []}
    assert cli("runs", "gone").code == 2
    (tmp_path / "empty").mkdir()
    assert cli("runs", "empty").out.startswith("no runs in empty")
