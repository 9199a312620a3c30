"""One of several processes that train together is killed, or stopped, for real."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.selftest import ranks
from cnnlab.selftest.ranks import SETTINGS, kill_one, start, weights
from cnnlab.train.run import Settings

pytestmark = pytest.mark.faults


def finished(run: Path, settings: Settings) -> str:
    """The weights of a run of two processes that nobody disturbs."""
    child = start(run, 2, settings)
    try:
        assert child.wait(200) == 0, run.with_suffix(".txt").read_text()
    finally:
        child.kill()
    return weights(run)


@pytest.mark.parametrize("fsdp", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["whole", "shares"])
def test_two_processes_of_which_one_is_killed_go_on_and_end_as_undisturbed(fsdp: bool, tmp_path: Path) -> None:
    run, settings = tmp_path / "killed", replace(SETTINGS, fsdp=fsdp)
    child = start(run, 2, settings)
    try:
        assert kill_one(run, 1, 0.5, processes=2) < 15
        assert child.wait(200) == 0, run.with_suffix(".txt").read_text()
    finally:
        child.kill()
    assert ranks.note(run, 1, 0).is_file()  # torchrun started both anew
    assert weights(run) == finished(tmp_path / "undisturbed", settings)


@pytest.mark.slow
def test_a_process_that_stands_still_is_named_within_15_seconds(tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    child = start(run, 2, replace(SETTINGS, rank_seconds=5.0))
    try:
        assert kill_one(run, 1, 0.5, processes=2, number=signal.SIGSTOP) < 60  # torchrun waits 30 s for it to end
        assert child.wait(200) == 0, run.with_suffix(".txt").read_text()
    finally:
        child.kill()
    assert "rank 1 gave no sign of life: killed, stopped, or out of reach" in run.with_suffix(".txt").read_text()


@pytest.mark.slow
def test_the_command_line_under_torchrun_itself(tmp_path: Path) -> None:
    run = tmp_path / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    train = ["cnnlab", "train", "synthetic", "--recipe", "fast/cifar10", "--device", "cpu", "--epochs", "0.1", "--json"]
    ended = subprocess.run(
        [*torchrun, *train, "--run-folder", str(run), "--set", "val_images=100"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('"recipe"') == 1  # rank 0 alone prints
    assert (run / "result.json").is_file()
