"""The runs of a reproduction: each trained once, kept under its content's key, gone on with where interrupted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.errors import InterruptedRunError, NonFiniteLossError
from cnnlab.explain.flow import StepFlow, from_dict
from cnnlab.explain.live import LiveFlow
from cnnlab.reproduce.plan import Plan
from cnnlab.train.record import BAD_STEP, FLOW, read_records
from cnnlab.train.run import RESULT, Settings, resume_run, train_run
from cnnlab.train.watch import Watch

DIVERGED = f"{BAD_STEP}.json"  # what a training leaves whose loss became no number
LAST = 0.1  # share of a training that its training error is taken over


@dataclass(frozen=True)
class Result:
    """One finished run, as plain values.

    `hits` (N,) says of each test image whether it was recognised; a run that `diverged` recognises none. `records`
    are its metrics, `flow` what was seen inside.
    """

    folder: Path
    seed: int
    seconds: float
    parameters: int
    hits: npt.NDArray[np.bool_]
    records: Sequence[Mapping[str, Any]] = ()
    flow: Sequence[StepFlow] = field(default=())
    diverged: bool = False

    @property
    def test_error(self) -> float:
        """The share of test images not recognised, in [0, 1]."""
        return 1.0 if self.diverged else 1 - float(self.hits.mean())

    @property
    def train_error(self) -> float:
        """The share of training images not recognised, as they are augmented, over the last tenth of the steps."""
        records = [each for each in self.records if each["split"] == "train"]
        if self.diverged or not records:
            return 1.0
        last = [each for each in records if each["step"] > (1 - LAST) * records[-1]["step"]]
        return 1 - fmean(float(each["top1"]) for each in last)

    def curve(self, split: str, value: str = "top1") -> list[tuple[float, float]]:
        """(step, value) of every record of "train" or "val"; `value` is "top1", "loss" or "error" (1 - top1)."""
        key = "top1" if value == "error" else value
        points = [(each["step"], each[key]) for each in self.records if each["split"] == split]
        return [(step, 1 - y) for step, y in points] if value == "error" else points


Results = Mapping[str, tuple[Result, ...]]
"""By the plan's label, a result for each seed."""


def test_error(results: Sequence[Result]) -> float:
    """The mean test error over seeds."""
    return fmean(each.test_error for each in results)


def train_error(results: Sequence[Result]) -> float:
    """The mean training error over seeds."""
    return fmean(each.train_error for each in results)


def shown_error(results: Sequence[Result]) -> str:
    """The mean test error over seeds as text, or that the training diverged."""
    return "diverged" if any(each.diverged for each in results) else f"{test_error(results):.1%}"


def best_on_validation(results: Results, labels: Sequence[str]) -> str:
    """The label whose first seed ends with the highest validation accuracy: settings are never chosen by tests."""

    def last(label: str) -> float:
        curve = results[label][0].curve("val")
        return curve[-1][1] if curve and not results[label][0].diverged else 0.0

    return max(labels, key=last)


def make(plans: Mapping[str, Plan], seeds: int, folder: Path, *, device: str, watch: Watch) -> Results:
    """Every plan's results, seeds 0 and on; only what is not there yet is trained.

    Raises:
        InterruptedRunError: asked to stop; saved, and the next call goes on.
    """
    return {
        label: tuple(make_one(plan, seed, folder, device=device, watch=watch) for seed in range(seeds))
        for label, plan in plans.items()
    }


def make_one(plan: Plan, seed: int, folder: Path, *, device: str = "auto", watch: Watch | None = None) -> Result:
    """One run: read if it is finished, gone on with if it was begun, else trained."""
    place = folder / f"{plan.recipe.model}-{plan.key(seed)}"
    if not (place / RESULT).is_file() and not (place / DIVERGED).is_file():
        try:
            _train(plan, seed, place, device, watch or Watch())
        except NonFiniteLossError as error:
            (watch or Watch()).said(f"diverged: {error}")
        except InterruptedRunError:
            raise InterruptedRunError("stopped; all is saved: give the same command again to go on") from None
    return read_result(place, seed)


def _train(plan: Plan, seed: int, place: Path, device: str, watch: Watch) -> None:
    look = partial(LiveFlow, every=plan.watch_every) if plan.watch_every is not None else None
    if (place / "recipe.json").is_file():
        resume_run(place, "auto", watch=watch, watch_steps=look)
        return
    shutil.rmtree(place, ignore_errors=True)  # a start that came to nothing
    start = None if plan.start is None else make_one(plan.start, seed, place.parent, device=device, watch=watch)
    settings = Settings(
        data=plan.data,
        seed=seed,
        device=device,
        epochs=plan.epochs,
        train_images=plan.train_images,
        pixels=plan.pixels,
        pretrained=None if start is None else str(start.folder),
    )
    train_run(plan.recipe, settings, place, watch=watch, watch_steps=look)


def read_result(place: Path, seed: int) -> Result:
    """The result in a run folder, finished or diverged."""
    records = read_records(place)
    flow = [from_dict(each["flow"]) for each in read_records(place, FLOW)]
    if not (place / RESULT).is_file():
        seconds = max((each["seconds"] for each in records), default=0.0)
        return Result(place, seed, seconds, 0, np.zeros(1, np.bool_), records, flow, diverged=True)
    result = _read(place / RESULT)
    answers = _read(place / "predictions.json")
    hits = np.equal(answers["guesses"], answers["labels"])
    tested = result.get("test", result.get("val", {}))
    seconds = result["train_seconds"] + tested.get("seconds", 0.0)
    return Result(place, seed, seconds, result["parameters"], hits, records, flow)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
