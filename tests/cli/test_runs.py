from __future__ import annotations

import shutil
from pathlib import Path

from .conftest import Cli


def test_runs_are_listed_with_their_accuracy_and_state(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "runs" / "mine")
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


def test_where_there_are_none_it_says_so(cli: Cli, tmp_path: Path) -> None:
    found = cli("runs")
    assert (found.code, found.out) == (0, "no runs in runs; cnnlab train makes one\n")
    assert cli("runs", "--json").json == {"folder": "runs", "runs": []}
    assert cli("runs", "gone").code == 2
    (tmp_path / "empty").mkdir()
    assert cli("runs", "empty").out.startswith("no runs in empty")
