"""Trainings killed at random moments and resumed: their weights and records must equal those of one left alone.

Four networks, each in one process and in two that train together, on images in memory and on photos that threads, two
or four processes decode. All are forks of this process, which has trained before, so that a start costs no import of
torch; the processes that decode are not.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from cnnlab.errors import CnnlabError, RankError
from cnnlab.recipes.recipe import Ema, Flip, Muon, OneCycle, PadCrop, RandomArea, Recipe, Sgd
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.isolate import POLL_SECONDS
from cnnlab.selftest.together import Together, start_together
from cnnlab.train.record import TIMING, read_records
from cnnlab.train.run import RECIPE, RESULT, Settings, resume_run, train_run

CASES = 700
OF_SEVEN_BY_SIGTERM = 2  # 200 of the 700
MARATHON_KILLS, MARATHON_STEPS, MARATHON_SECONDS = 100, 2_000, 0.1
OF_EARLY = 5  # every fifth training is killed by its own clock, and so mostly before its first step
LONGEST_SECONDS = 300.0
LOST = 76  # the exit code here of a process that lost another one
GOAL = Goal("killed at any moment, every training ends with the weights and records of one left alone")

PLAIN = Recipe(
    name="selftest/kills",
    paper="none",
    model="lenet5_modern",
    data="synthetic",
    batch_size=16,
    steps=40,
    optimizer=Sgd(lr=0.02, momentum=0.9),
    schedule=OneCycle(peak_at=0.2),
    augment=(PadCrop(pixels=2), Flip()),
    val_images=64,
)
RESIDUAL = replace(PLAIN, model="resnet_matlab", model_options={"width": 4, "units": 1}, average=Ema(decay=0.9))
RECIPES = {
    "lenet5_modern": PLAIN,
    "resnet_matlab": RESIDUAL,
    "perceptron": replace(PLAIN, model="perceptron"),
    "airnet": replace(PLAIN, model="airnet", optimizer=Muon(lr=0.1, rest=Sgd(lr=0.5)), steps=20, augment=()),
}
PIXELS = {"lenet5_modern": 32, "resnet_matlab": 16, "perceptron": 28, "airnet": 16}


@dataclass(frozen=True)
class Way:
    """What is trained, in how many processes, and how many others decode photos for each; None: images in memory."""

    model: str
    processes: int
    workers: int | None

    @property
    def said(self) -> str:
        """In words."""
        images = "images in memory" if self.workers is None else f"photos, {self.workers} workers"
        return f"{self.model}, {self.processes} process{'es' if self.processes > 1 else ''}, {images}"

    @property
    def recipe(self) -> Recipe:
        """What it trains by."""
        recipe, pixels = RECIPES[self.model], PIXELS[self.model]
        if self.workers is None:
            return recipe
        return replace(
            recipe,
            augment=(Flip(),),
            crop=RandomArea(pixels=pixels),
            test_resize_pixels=pixels + 2,
            test_crop_pixels=pixels,
            normalisation="half",
            val_images=None,
        )


WAYS = tuple(
    Way(model, processes, workers)
    for workers in (None, 0, 2, 4)  # the slowest to start come last, and half as often
    for processes in (1, 2)
    for model in RECIPES
)


def way_of(case: int) -> Way:
    """The way of a case's training: each in turn, but those with workers, slow to start, half as often."""
    place = case % (len(WAYS) * 3 // 2)
    return WAYS[place % len(WAYS) if place < len(WAYS) else place - len(WAYS)]


def settings_of(way: Way, work: Path) -> Settings:
    """On 320 made images, or 60 photos in the folder `work`; a checkpoint at almost every step."""
    photos = way.workers is not None
    return Settings(
        data=str(_photos(work / "photos")) if photos else "synthetic",
        device="cpu",
        save_seconds=0.02,
        workers=way.workers or 0,
        train_images=None if photos else 320,
        pixels=None if photos or PIXELS[way.model] == 32 else PIXELS[way.model],
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


def _start(way: Way, run: Path, work: Path, steps: int | None = None) -> Together:
    """Begin or go on with a training in processes of its own; exit codes are the command line's, and `LOST`."""
    recipe = way.recipe if steps is None else replace(way.recipe, steps=steps)

    def train() -> int:
        try:
            if (run / RECIPE).is_file():
                resume_run(run, "auto")
            else:
                train_run(recipe, settings_of(way, work), run)
        except CnnlabError as error:
            print(error)
            return LOST if isinstance(error, RankError) else error.exit_code
        return 0

    return start_together(train, way.processes, work / "output.txt")


def _finish(way: Way, run: Path, work: Path, steps: int | None = None) -> float:
    """Let a training come to its end; how many seconds that took.

    Raises:
        CnnlabError: it ended otherwise.
    """
    started = time.monotonic()
    training = _start(way, run, work, steps)
    code = training.wait(LONGEST_SECONDS)
    training.kill()
    if code != 0:
        raise CnnlabError(f"{run.name} ended with {code}: {(work / 'output.txt').read_text()[-300:]}")
    return time.monotonic() - started


def _alone(way: Way, work: Path, steps: int | None = None) -> tuple[Path, float]:
    """The training left alone, made once, and how long it took."""
    run = work / f"alone-{way.model}-{way.processes}-{way.workers}{f'-{steps}' if steps else ''}"
    if not (run / "seconds.json").is_file():
        shutil.rmtree(run, ignore_errors=True)
        seconds = _finish(way, run, work, steps)
        (run / "seconds.json").write_text(json.dumps(seconds))
    return run, json.loads((run / "seconds.json").read_text())


def _kill(training: Together, number: signal.Signals, seconds: float, ranks: Sequence[int]) -> str:
    """Send a signal to the processes of these ranks after `seconds`; what became of the training.

    Raises:
        CnnlabError: one ended otherwise than well, by the signal, with all saved, or for the loss of another.
    """
    if training.wait(seconds) is None:
        for rank in ranks:
            training.ranks[rank].send(number)
        training.wait(LONGEST_SECONDS)
    training.kill()
    codes = [each.code for each in training.ranks]
    # Where one of several is gone the others get a SIGTERM.
    sound = {0, 75, -number, *((LOST, -signal.SIGTERM) if len(codes) > 1 else ())}
    if not sound.issuperset(codes):
        raise CnnlabError(f"{number.name} after {seconds:.2f} s: processes ended with {codes}")
    if not any(codes):
        return "was over"
    return "saved" if 75 in codes else "was killed"


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


def signal_of(case: int) -> signal.Signals:
    """What a case's training is sent."""
    return signal.SIGTERM if case % 7 < OF_SEVEN_BY_SIGTERM else signal.SIGKILL


def _ranks(case: int, processes: int) -> list[int]:
    """Which processes get the signal: of two the first, the second, or both, by chance."""
    return random.Random(-case).choice(([0], [1], [0, 1])) if processes > 1 else [0]


def _kind(case: int) -> str:
    if case == CASES:
        return "marathon"
    processes = way_of(case).processes
    whom = f"{len(_ranks(case, processes))} of {processes} processes" if processes > 1 else "the process"
    return f"{signal_of(case).name} to {whom}"


def _killed_once(case: int, work: Path) -> tuple[str, str | None]:
    """Kill a training at a moment by chance, and go on with it: what was seen, and how its end differs."""
    way, draw = way_of(case), random.Random(case)
    number, ranks = signal_of(case), _ranks(case, way.processes)
    alone, _ = _alone(way, work)
    span = (alone / RESULT).stat().st_mtime - (alone / RECIPE).stat().st_mtime  # from just before the first step
    run = work / "killed"
    became, moment = "was over", draw.uniform(0, span)
    while became == "was over":  # too late to kill it: half as late, then
        shutil.rmtree(run, ignore_errors=True)
        training = _start(way, run, work)
        if case % OF_EARLY:
            _wait_until(training, (run / RECIPE).is_file)
        became = _kill(training, number, moment, ranks)
        moment /= 2
    kept = _newest(run)
    _finish(way, run, work)
    when = f"{2 * moment:.2f} s after {'the first step was due' if case % OF_EARLY else 'its start'}"
    return f"{way.said}: {became} {when}, newest {kept}", same_end(alone, run)


def _wait_until(training: Together, so: Callable[[], bool]) -> None:
    """Wait until something is so, or the training has ended."""
    while not so() and training.wait(0) is None:
        time.sleep(POLL_SECONDS)


def _marathon(work: Path) -> tuple[str, str | None]:
    """Kill one training a hundred times, three of four times soon after it has come a little further."""
    way, draw = Way("resnet_matlab", 1, None), random.Random(0)
    alone, _ = _alone(way, work, MARATHON_STEPS)
    run, kills = work / "marathon", 0
    shutil.rmtree(run, ignore_errors=True)
    while kills < MARATHON_KILLS and not (run / RESULT).is_file():
        before, training = _newest(run), _start(way, run, work, MARATHON_STEPS)
        if draw.random() < 0.75:
            _wait_until(training, lambda: _newest(run) != before)  # noqa: B023 (called before the next turn)
        number = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
        kills += _kill(training, number, draw.uniform(0, MARATHON_SECONDS), [0]) != "was over"
    if not (run / RESULT).is_file():
        _finish(way, run, work, MARATHON_STEPS)
    enough = None if kills >= MARATHON_KILLS else f"it was over after {kills} kills"
    return f"{way.said}, {MARATHON_STEPS} steps, {kills} kills", enough or same_end(alone, run)


def _newest(run: Path) -> str:
    """The name of a run's newest checkpoint; "none" where there is none."""
    return max((each.name for each in (run / "checkpoints").glob("step-????????")), default="none")


def _warm() -> None:
    """Train a step here, so that all that a training imports is imported before the first fork."""
    with TemporaryDirectory() as folder:
        settings = replace(settings_of(Way("lenet5_modern", 1, None), Path(folder)), save_seconds=60.0)
        train_run(replace(PLAIN, steps=1), settings, Path(folder) / "run")


def _run(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    if cases:
        _warm()
    for case in cases:
        started = time.monotonic()
        try:
            seen, differs = _marathon(work) if case == CASES else _killed_once(case, work)
        except CnnlabError as error:
            seen, differs = str(error), "it failed"
        yield Outcome(
            case,
            _kind(case),
            "equal" if differs is None else "DIFFERS",
            differs is None,
            seen + ("" if differs is None else f": {differs}"),
            time.monotonic() - started,
        )


KILLS = Part("kills", GOAL, CASES + 1, (*range(0, 24, 2), 33), _run)
