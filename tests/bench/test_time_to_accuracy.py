from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnlab.bench import time_to_accuracy
from cnnlab.bench.row import Plan
from cnnlab.bench.time_to_accuracy import USUAL, measure, read_curve, seconds_to
from cnnlab.bench.training import BATCH
from cnnlab.errors import UsageError

from .conftest import Here


@pytest.fixture
def slow_loop(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual loop in small."""
    here(time_to_accuracy)
    for name, value in {"IMAGES": BATCH, "STEPS": 1, "REST_SECONDS": 0.0}.items():
        monkeypatch.setattr(time_to_accuracy, name, value)


def made_run(folder: Path, points: Sequence[tuple[float, float]], model: str = "airnet") -> Path:
    """A run folder with the records that are read."""
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps({"name": "fast/cifar10", "model": model}))
    train = {"step": 1, "split": "train", "top1": 1.0, "seconds": 1.0}
    lines = [train, *({"step": 1, "split": "val", "seconds": s, "top1": top1} for s, top1 in points)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return folder


def test_the_curve_of_a_real_run(tiny_run: Path) -> None:
    points = read_curve(tiny_run)
    assert len(points) >= 1
    assert all(seconds > 0 and 0 <= top1 <= 1 for seconds, top1 in points)
    assert time_to_accuracy.kind_of(tiny_run) == "resnet20 by tiny"


def test_seconds_are_those_of_the_first_validation_that_is_there() -> None:
    points = [(10.0, 0.7), (20.0, 0.9), (30.0, 0.85)]
    assert [seconds_to(each, points) for each in (0.7, 0.8, 0.9, 0.95)] == [10.0, 20.0, 20.0, None]


def test_seeds_belong_together_and_only_what_all_of_them_reached_counts(tmp_path: Path, slow_loop: None) -> None:
    first = made_run(tmp_path / "a", [(10, 0.81), (20, 0.86)])
    second = made_run(tmp_path / "b", [(12, 0.84), (24, 0.95)])
    other = made_run(tmp_path / "c", [(50, 0.93)], model="resnet20")
    found = measure(Plan(rounds=2, runs=(first, second, other)))
    by_name = {case.name: case for case in found.cases}
    assert list(by_name) == ["to 80%", "to 85%", "to 90%", "to 92%"]
    fast, slow = "airnet by fast/cifar10", "resnet20 by fast/cifar10"
    assert by_name["to 80%"].values == {fast: [10, 12], slow: [50]}
    assert by_name["to 80%"].against == slow
    assert by_name["to 85%"].values[fast] == [20, 24]
    assert list(by_name["to 90%"].values) == [slow]
    [plot] = found.plots
    assert [curve.label for curve in plot.curves] == [fast, fast, slow]


def test_the_usual_loop_is_carried_on_to_the_papers_steps(tmp_path: Path, slow_loop: None) -> None:
    run = made_run(tmp_path / "a", [(600, 0.93)])
    case = next(each for each in measure(Plan(rounds=2, runs=(run,))).cases if each.name == "to 92%")
    assert case.against == USUAL
    assert len(case.values[USUAL]) == 2
    assert min(case.values[USUAL]) > 64_000 * 0.001  # a step takes more than a millisecond


def test_without_runs_or_validations_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name their folders: cnnlab bench time-to-accuracy --runs"):
        measure(Plan(rounds=1))
    with pytest.raises(UsageError, match="has no validation"):
        measure(Plan(rounds=1, runs=(made_run(tmp_path / "a", []),)))
