"""Trainings killed for real at random moments and resumed, compared with one left alone; and the command line's own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.recipes.recipe import to_dict
from cnnlab.selftest.kills import KILLS, RESIDUAL, same_end

pytestmark = pytest.mark.faults


def check(cases: range, folder: Path) -> None:
    outcomes = list(KILLS.run(cases, folder))
    assert [each.case for each in outcomes] == list(cases)
    assert [each.seen for each in outcomes if not each.passed] == []


def test_one_process_and_two_killed_at_random_moments_end_bit_equal(tmp_path: Path) -> None:
    check(range(1, 6, 4), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_way_of_training_survives_a_kill(tmp_path: Path) -> None:
    check(range(48), tmp_path)


def test_the_command_line_stopped_and_gone_on_with_ends_bit_equal(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(to_dict(replace(RESIDUAL, steps=300))))

    def train(run: str) -> list[str]:
        start = [sys.executable, "-m", "cnnlab", "train", "synthetic", "--recipe", str(recipe), "--device", "cpu"]
        return [*start, "--run", str(tmp_path / run), "--threads", "1", "--resume", "auto"]

    subprocess.run(train("alone"), check=True, capture_output=True, timeout=280)
    stopped = subprocess.Popen(train("stopped"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "stopped" / "metrics.jsonl").is_file() and stopped.poll() is None:
        time.sleep(0.01)
    stopped.terminate()
    assert stopped.wait(timeout=120) == 75
    subprocess.run(train("stopped"), check=True, capture_output=True, timeout=280)
    assert same_end(tmp_path / "alone", tmp_path / "stopped") is None
