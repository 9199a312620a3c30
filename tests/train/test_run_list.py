from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnlab.train.run_list import list_runs


def made(folder: Path, *, result: dict[str, Any] | None = None, checkpoint: bool = False) -> Path:
    folder.mkdir(parents=True)
    files: dict[str, dict[str, Any]] = {
        "recipe.json": {"name": "fast/cifar10", "model": "airnet", "data": "cifar10"},
        "settings.json": {"data": "cifar10", "seed": 3},
        "data.json": {"name": "cifar10"},
    }
    if result is not None:
        files["result.json"] = result
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values), encoding="utf-8")
    (folder / "metrics.jsonl").write_text('{"step": 1, "seconds": 12.5}\n', encoding="utf-8")
    (folder / "lock").touch()
    if checkpoint:
        (folder / "checkpoints" / "step-00000001").mkdir(parents=True)
    return folder


TESTED = {"train_seconds": 480.0, "test": {"top1": 0.94, "interval95": [0.93, 0.95], "protocol": "flip"}}


def test_each_run_says_how_it_stands(tmp_path: Path) -> None:
    made(tmp_path / "a", result=TESTED)
    made(tmp_path / "b", checkpoint=True)
    made(tmp_path / "c")
    made(tmp_path / "d", result={**TESTED, "learned": False})
    made(tmp_path / "f", result={**TESTED, "learned": None})
    spike = made(tmp_path / "e", checkpoint=True)
    (spike / "bad-step.json").write_text("{}", encoding="utf-8")
    found = {Path(each.run).name: each for each in list_runs(tmp_path)}
    assert {name: each.state for name, each in found.items()} == {
        **{"a": "finished", "b": "interrupted", "c": "failed", "d": "not learned", "e": "failed", "f": "finished"},
    }
    a, b = found["a"], found["b"]
    assert (a.recipe, a.model, a.data, a.seed, a.part, a.protocol) == (
        *("fast/cifar10", "airnet", "cifar10", 3, "test"),
        "flip",
    )
    assert (a.accuracy, a.interval95, a.seconds) == (0.94, (0.93, 0.95), 480.0)
    assert (b.accuracy, b.interval95, b.seconds) == (None, None, 12.5)


def test_a_run_that_trains_now_is_running_and_is_not_disturbed(tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "now")
    hold = (
        "import sys; from pathlib import Path; from cnnlab.train.record import RunFolder\n"
        f"run = RunFolder(Path({str(run)!r}), resume=True); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        assert [each.state for each in list_runs(tmp_path)] == ["running"]
        assert [each.state for each in list_runs(tmp_path)] == ["running"]
        holder.communicate(b"")
    assert [each.state for each in list_runs(tmp_path)] == ["failed"]


def test_seeds_and_nested_folders_are_found_and_a_run_is_not_looked_into(tmp_path: Path) -> None:
    made(tmp_path / "five" / "seed0", result=TESTED)
    made(tmp_path / "five" / "seed1")
    made(tmp_path / "five" / "seed0" / "inside")
    made(tmp_path / ".hidden" / "x")
    found = [Path(each.run).relative_to(tmp_path).as_posix() for each in list_runs(tmp_path)]
    assert found == ["five/seed0", "five/seed1"]
    assert len(list_runs(tmp_path / "five" / "seed0")) == 1


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"test": 3}'])
def test_files_that_are_damaged_are_no_reason_to_stop(content: str, tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    for name in ("result.json", "settings.json", "data.json", "recipe.json", "metrics.jsonl"):
        (run / name).write_text(content, encoding="utf-8")
    [found] = list_runs(tmp_path)
    assert (found.model, found.accuracy) == ("?", None)
