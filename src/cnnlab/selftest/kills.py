"""Trainings killed at random moments and resumed: their weights and records must equal those of one left alone.

Each training is a fork of this process, which has trained before, so that a start costs no import of torch.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from cnnlab.errors import CnnlabError
from cnnlab.recipes.recipe import Ema, Flip, Muon, OneCycle, PadCrop, RandomArea, Recipe, Sgd
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.isolate import Child, fork
from cnnlab.train.record import TIMING, read_records
from cnnlab.train.run import RECIPE, RESULT, Settings, resume_run, train_run

CASES = 700
OF_SEVEN_BY_SIGTERM = 2  # 200 of the 700
MARATHON_KILLS = 100
LONGEST_SECONDS = 300.0
GOAL = Goal("killed at any moment, every training ends with the weights and records of one left alone")

PLAIN = Recipe(
    name="selftest/kills",
    paper="none",
    model="lenet5_modern",
    data="synthetic",
    batch_size=16,
    steps=60,
    optimizer=Sgd(lr=0.02, momentum=0.9),
    schedule=OneCycle(peak_at=0.2),
    augment=(PadCrop(pixels=2), Flip()),
    val_images=64,
)
RESIDUAL = replace(PLAIN, model="resnet_matlab", model_options={"width": 4, "units": 1}, average=Ema(decay=0.9))
PHOTOS = replace(
    RESIDUAL,
    augment=(Flip(),),
    crop=RandomArea(pixels=16),
    test_resize_pixels=18,
    test_crop_pixels=16,
    normalisation="half",
    val_images=None,
    steps=40,
)
RECIPES = {
    "lenet5_modern": PLAIN,
    "resnet_matlab": RESIDUAL,
    "perceptron": replace(PLAIN, model="perceptron"),
    "airnet": replace(PLAIN, model="airnet", optimizer=Muon(lr=0.1, rest=Sgd(lr=0.5)), steps=25, augment=()),
    "photos": PHOTOS,
}


PIXELS = {"lenet5_modern": None, "resnet_matlab": 16, "perceptron": 28, "airnet": 16, "photos": None}  # None: its own


@dataclass(frozen=True)
class Way:
    """What is trained, and how many processes decode for it."""

    name: str
    workers: int = 0

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.name}, {self.workers} workers" if self.name == "photos" else self.name


WAYS = (
    *(Way(name) for name in ("lenet5_modern", "resnet_matlab", "perceptron", "airnet", "photos") for _ in range(2)),
    Way("photos", 2),
    Way("photos", 4),
)


def _settings(way: Way, work: Path) -> Settings:
    """On 640 made images, or 60 photos in the folder `work`; a checkpoint at almost every step."""
    photos = way.name == "photos"
    return Settings(
        data=str(_photos(work / "photos")) if photos else "synthetic",
        device="cpu",
        save_seconds=0.02,
        workers=way.workers,
        train_images=None if photos else 320,
        pixels=PIXELS[way.name],
    )


def _photos(folder: Path) -> Path:
    """A folder of 90 JPEGs of two classes, made once."""
    if not folder.is_dir():
        aside, draw = folder.with_name("photos.incomplete"), np.random.default_rng(0)
        shutil.rmtree(aside, ignore_errors=True)
        for split, count in (("train", 60), ("val", 16), ("test", 14)):
            for number in range(count):
                path = aside / split / ("dark", "light")[number % 2] / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = draw.integers(0, 128, (40, 48, 3)) + 127 * (number % 2)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
        aside.rename(folder)
    return folder


def _start(way: Way, run: Path, work: Path, steps: int | None = None) -> Child:
    """Begin or go on with a training in a process of its own; its exit code is the command line's."""
    recipe = RECIPES[way.name] if steps is None else replace(RECIPES[way.name], steps=steps)

    def train() -> int:
        try:
            if (run / RECIPE).is_file():
                resume_run(run, "auto")
            else:
                train_run(recipe, _settings(way, work), run)
        except CnnlabError as error:
            print(error)
            return error.exit_code
        return 0

    return fork(train, work / "output.txt")


def _finish(way: Way, run: Path, work: Path, steps: int | None = None) -> float:
    """Let a training come to its end; how many seconds that took.

    Raises:
        CnnlabError: it ended otherwise.
    """
    started = time.monotonic()
    child = _start(way, run, work, steps)
    code = child.wait(LONGEST_SECONDS)
    child.kill()
    if code != 0:
        raise CnnlabError(f"{run.name} ended with {code}: {(work / 'output.txt').read_text()[-300:]}")
    return time.monotonic() - started


def _alone(way: Way, work: Path, steps: int | None = None) -> tuple[Path, float]:
    """The training left alone, made once, and how long it took."""
    run = work / f"alone-{way.name}-{way.workers}{f'-{steps}' if steps else ''}"
    if not (run / "seconds.json").is_file():
        shutil.rmtree(run, ignore_errors=True)
        seconds = _finish(way, run, work, steps)
        (run / "seconds.json").write_text(json.dumps(seconds))
    return run, json.loads((run / "seconds.json").read_text())


def _kill(child: Child, number: signal.Signals, seconds: float) -> str:
    """Send a signal after `seconds`; what became of the process.

    Raises:
        CnnlabError: it ended neither as the signal ends a process, nor as one that saved what it had, nor well.
    """
    code = child.wait(seconds)
    if code is None:
        child.send(number)
        code = child.wait(LONGEST_SECONDS)
    child.kill()
    if code not in (0, 75, -number):
        raise CnnlabError(f"{number.name} after {seconds:.2f} s: the process ended with {code}")
    return {0: "was over", 75: "saved"}.get(code or 0, "was killed")


def same_end(first: Path, second: Path) -> str | None:
    """How the ends of two runs differ, in words; None where weights and records are equal to the last bit."""
    if not all((run / RESULT).is_file() for run in (first, second)):
        return "it did not come to its end"
    if len({hashlib.sha256((run / "model.safetensors").read_bytes()).digest() for run in (first, second)}) > 1:
        return "its weights differ"
    return None if _untimed(first) == _untimed(second) else "its records differ"


def _untimed(run: Path) -> list[dict[str, object]]:
    """The records without what depends on speed."""
    return [{name: value for name, value in each.items() if name not in TIMING} for each in read_records(run)]


def _killed_once(case: int, work: Path) -> tuple[str, str | None]:
    """Kill a training at a moment by chance, and go on with it: what was seen, and how its end differs."""
    way, draw = WAYS[case % len(WAYS)], random.Random(case)
    number = signal.SIGTERM if case % 7 < OF_SEVEN_BY_SIGTERM else signal.SIGKILL
    alone, seconds = _alone(way, work)
    run = work / "killed"
    became, moment = "was over", draw.uniform(0, seconds)
    while became == "was over":  # too late to kill it: half as late, then
        shutil.rmtree(run, ignore_errors=True)
        became = _kill(_start(way, run, work), number, moment)
        moment /= 2
    kept = sorted(each.name for each in (run / "checkpoints").glob("step-????????"))
    _finish(way, run, work)
    return f"{way.said}: after {2 * moment:.2f} s {became}, newest {kept[-1] if kept else 'none'}", same_end(alone, run)


def _marathon(work: Path) -> tuple[str, str | None]:
    """Kill one training a hundred times."""
    way, draw, steps = Way("resnet_matlab"), random.Random(0), 600
    alone, seconds = _alone(way, work, steps)
    start = _alone(way, work)[1]  # mostly what a start takes
    run = work / "marathon"
    shutil.rmtree(run, ignore_errors=True)
    kills = 0
    while kills < MARATHON_KILLS and not (run / RESULT).is_file():
        moment = draw.uniform(0, start) + draw.uniform(0, seconds / MARATHON_KILLS)
        number = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
        kills += _kill(_start(way, run, work, steps), number, moment) != "was over"
    if not (run / RESULT).is_file():
        _finish(way, run, work, steps)
    enough = None if kills >= MARATHON_KILLS else f"it was over after {kills} kills"
    return f"{way.said}, {steps} steps, {kills} kills", enough or same_end(alone, run)


def _warm() -> None:
    """Train a step here, so that all that a training imports is imported before the first fork."""
    with TemporaryDirectory() as folder:
        settings = replace(_settings(Way("lenet5_modern"), Path(folder)), save_seconds=60.0)
        train_run(replace(PLAIN, steps=1), settings, Path(folder) / "run")


def _run(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    if cases:
        _warm()
    for case in cases:
        marathon = case == CASES
        number = signal.SIGTERM if case % 7 < OF_SEVEN_BY_SIGTERM else signal.SIGKILL
        started = time.monotonic()
        try:
            seen, differs = _marathon(work) if marathon else _killed_once(case, work)
        except CnnlabError as error:
            seen, differs = str(error), "it failed"
        yield Outcome(
            case,
            "marathon" if marathon else number.name,
            "equal" if differs is None else "DIFFERS",
            differs is None,
            seen + ("" if differs is None else f": {differs}"),
            time.monotonic() - started,
        )


KILLS = Part("kills", GOAL, CASES + 1, range(12), _run)
