"""Seconds of training to an accuracy, read from the records of finished runs: `cnnlab bench time-to-accuracy --runs …`.

Accuracies are those of the validation split, a single view an image; seconds count training and validation. Runs of one
recipe and network are seeds of the same thing. They are held against ResNet-20 by the usual loop, whose time is its
measured speed carried on to the paper's 64,000 steps; it ends at 91.25% (the paper) or 91.7% (widely used weights), so
its whole training stands for its time to 92%.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cnnlab.bench.resnet20_train import IMAGES, REST_SECONDS, STEPS
from cnnlab.bench.row import Case, Curve, Found, Plan, Plot
from cnnlab.bench.turns import Way, own_processes, take_turns
from cnnlab.bench.usual_loop import usual
from cnnlab.errors import UsageError
from cnnlab.train.record import read_records

ACCURACIES = (0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96)
USUAL, USUAL_REACHES, PAPER_STEPS = "ResNet-20, usual loop (extrapolated)", 0.92, 64_000
WORKERS = (0, 2)  # processes that prepare images for the usual loop

Points = Sequence[tuple[float, float]]
"""Seconds, and the validation accuracy reached by then."""


def measure(plan: Plan) -> Found:
    """For each accuracy the seconds of every kind of run that reached it, and the curves of all.

    Raises:
        UsageError: no runs were given, or one has no validation yet.
    """
    if not plan.runs:
        raise UsageError(
            "time-to-accuracy reads finished runs; name their folders: cnnlab bench time-to-accuracy --runs runs/a "
            "runs/b; cnnlab train --run runs/a makes one"
        )
    curves = {folder: read_curve(folder) for folder in plan.runs}
    groups: dict[str, list[Points]] = {}
    for folder, points in curves.items():
        groups.setdefault(kind_of(folder), []).append(points)
    cases = [case for accuracy in ACCURACIES if (case := _case(accuracy, groups))]
    if (beside := next((case for case in cases if case.name == _name(USUAL_REACHES)), None)) is not None:
        plan.say("time-to-accuracy: measuring the usual loop")
        values = {USUAL: usual_seconds(plan.rounds, plan.threads), **beside.values}
        cases[cases.index(beside)] = Case(beside.name, beside.unit, values, against=USUAL)
    lines = [Curve(kind, points) for kind, runs in groups.items() for points in runs]
    title = "Validation accuracy against seconds of training"
    plot = Plot("accuracy-by-seconds", title, "seconds", "validation accuracy", lines, shares=True, from_zero=False)
    return Found(tuple(cases), (plot,))


def read_curve(folder: Path) -> Points:
    """The validations of a run in order.

    Raises:
        UsageError: there are none.
    """
    points = [(each["seconds"], each["top1"]) for each in read_records(folder) if each["split"] == "val"]
    if not points:
        raise UsageError(f"{folder} has no validation in its metrics.jsonl; is it the folder of a run?")
    return points


def kind_of(folder: Path) -> str:
    """What was trained by which recipe: runs of the same kind differ in their seeds."""
    recipe: dict[str, Any] = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return f"{recipe['model']} by {recipe['name']}"


def seconds_to(accuracy: float, points: Points) -> float | None:
    """The seconds at the first validation that reached an accuracy; None where none did."""
    return next((seconds for seconds, reached in points if reached >= accuracy), None)


def usual_seconds(rounds: int, threads: int | None = None) -> list[float]:
    """What the faster of two usual loops, without and with workers, takes for the paper's steps: a value a round."""
    ways: dict[str, Way] = {str(workers): partial(usual, "resnet20", IMAGES, workers=workers) for workers in WORKERS}
    with own_processes(ways, threads) as works:
        turns = {workers: partial(work, STEPS) for workers, work in works.items()}
        seconds = take_turns(turns, rounds, rest_seconds=REST_SECONDS)
    return [each / STEPS * PAPER_STEPS for each in min(seconds.values(), key=statistics.median)]


def _case(accuracy: float, groups: Mapping[str, Sequence[Points]]) -> Case | None:
    """The kinds of which every run reached the accuracy, held against the slowest; None where there is none."""
    values: dict[str, list[float]] = {}
    for kind, runs in groups.items():
        seconds = [found for points in runs if (found := seconds_to(accuracy, points)) is not None]
        if len(seconds) == len(runs):
            values[kind] = seconds
    if not values:
        return None
    slowest = max(values, key=lambda kind: statistics.median(values[kind]))
    return Case(_name(accuracy), "s", values, against=slowest)


def _name(accuracy: float) -> str:
    return f"to {accuracy:.0%}"
