"""Real trainings, killed for real at random moments and resumed, compared with one left alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cnnlab.recipes.recipe import Ema, Flip, Muon, OneCycle, PadCrop, Recipe, Resolution, Sgd, to_dict
from cnnlab.train.record import TIMING, read_records

STEPS = 120
PLAIN = Recipe(
    name="fault/sgd",
    paper="none",
    model="resnet20",
    data="synthetic",
    batch_size=16,
    steps=STEPS,
    optimizer=Sgd(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=OneCycle(peak_at=0.2),
    augment=(PadCrop(pixels=4), Flip()),
    average=Ema(decay=0.99),
)
FAST = Recipe(
    name="fault/muon",
    paper="none",
    model="airnet",
    data="synthetic",
    batch_size=32,
    steps=STEPS,
    optimizer=Muon(lr=0.2, rest=Sgd(lr=1.0), linear=Sgd(lr=0.005)),
    schedule=OneCycle(peak_at=0.0),
    augment=(PadCrop(pixels=2, mode="reflect"),),
    resolutions=(Resolution(until=0.5, pixels=16),),
)


@dataclass(frozen=True)
class Outcome:
    """One disturbed training: how often it was killed, and whether it ended as the undisturbed one."""

    recipe: str
    kills: tuple[str, ...]
    killed_at_steps: tuple[int, ...]
    same_weights: bool
    same_log: bool


def command(recipe: Path, run: Path, *, resume: bool) -> list[str]:
    """The command line of a training or of its going on."""
    train = [sys.executable, "-m", "cnnlab", "train", "--run", str(run), "--device", "cpu", "--threads", "1"]
    return (
        [*train, "--resume", "auto"]
        if resume
        else [*train, "synthetic", "--recipe", str(recipe), "--save-seconds", "0.5"]
    )


def finish(recipe: Path, run: Path, *, resume: bool) -> None:
    """Run a training to its end."""
    subprocess.run(command(recipe, run, resume=resume), check=True, capture_output=True, timeout=280)


def kill_once(recipe: Path, run: Path, number: signal.Signals, seconds: float, *, resume: bool) -> int | None:
    """Start or resume, wait for the first step and then `seconds`, send the signal.

    Returns:
        The exit code; None if the training was over before the signal came.
    """
    process = subprocess.Popen(
        command(recipe, run, resume=resume), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # the title: training begins
    time.sleep(seconds)
    if process.poll() is None:
        os.kill(process.pid, number)
    process.communicate(timeout=120)
    return None if process.returncode == 0 else process.returncode


def fingerprint(run: Path) -> str:
    """The SHA-256 of the final weights' file."""
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def untimed_log(run: Path) -> list[str]:
    """The metric log without what depends on speed."""
    return [json.dumps({key: value for key, value in each.items() if key not in TIMING}) for each in read_records(run)]


def last_step(run: Path) -> int:
    """The step of the newest checkpoint, 0 without one."""
    names = sorted(each.name for each in (run / "checkpoints").glob("step-????????"))
    return int(names[-1].removeprefix("step-")) if names else 0


def campaign(folder: Path, recipe: Recipe, trainings: int, kills: int, seed: int = 0) -> list[Outcome]:
    """Kill each of `trainings` trainings `kills` times, let it finish, and compare it with an undisturbed one."""
    draw = random.Random(seed)
    path = folder / f"{recipe.model}.json"
    path.write_text(json.dumps(to_dict(recipe)))
    alone = folder / f"{recipe.model}-alone"
    started = time.monotonic()
    finish(path, alone, resume=False)
    span = json.loads((alone / "result.json").read_text())["train_seconds"]
    assert time.monotonic() - started < 250
    return [
        _disturb(folder / f"{recipe.model}-{each}", path, recipe, alone, kills, span, draw) for each in range(trainings)
    ]


def _disturb(
    run: Path, path: Path, recipe: Recipe, alone: Path, kills: int, span: float, draw: random.Random
) -> Outcome:
    sent: list[str] = []
    steps: list[int] = []
    for each in range(kills):
        number = draw.choice([signal.SIGKILL, signal.SIGTERM])
        code = kill_once(path, run, number, draw.uniform(0, span / kills), resume=each > 0)
        if code is None:
            break
        assert code == (75 if number is signal.SIGTERM else -number), f"{number.name} ended with {code}"
        sent.append(number.name)
        steps.append(last_step(run))
    if not (run / "result.json").is_file():
        finish(path, run, resume=True)
    return Outcome(
        recipe.name,
        tuple(sent),
        tuple(steps),
        fingerprint(run) == fingerprint(alone),
        untimed_log(run) == untimed_log(alone),
    )
