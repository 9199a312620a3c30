"""Training on a folder with damaged files: CIFAR-10 as single PNGs, every twentieth of them made unreadable.

A seed trains twice, as many steps on the sound folder and on the damaged one, and tests both on the same sound images.
The last case compares the means of all seeds: one seed's difference is mostly chance.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnlab.data.parts import Part as Images
from cnnlab.data.parts import in_memory
from cnnlab.data.sources import load
from cnnlab.data.splits import few_of_each
from cnnlab.recipes.catalog import get_recipe
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.forms import forms
from cnnlab.selftest.isolate import fork
from cnnlab.train.run import Settings, train_run

SEEDS = 8
BAD_SHARE = 0.05
POINTS = 0.2  # of the mean of all seeds
LARGEST_POINTS = 5.0  # of one seed: more would be no chance
TRAIN_IMAGES, TEST_IMAGES = 45_000, 10_000
STEPS = 400  # of both trainings; fewer images make an epoch shorter
TRAINING_SECONDS = 3_600.0


def write_folder(folder: Path, train: Images, test: Images, *, damaged: bool) -> int:
    """Write `train/`, `val/` and `test/`, an image a file; where `damaged`, a twentieth of train cannot be read.

    Returns how many those are. The validation images are the test images: nothing is chosen by them.
    """
    broken = [form for form in forms() if not form.decodes and form.file == "form.jpg" and "of" not in form.name][:20]
    bad = np.random.default_rng(0).permutation(len(train))[: round(BAD_SHARE * len(train))].tolist()
    for name, part in (("train", train), ("val", test), ("test", test)):
        for index, (image, label) in enumerate(zip(part.images, part.labels.tolist(), strict=True)):
            path = folder / name / f"class{label}" / f"{index:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    for place, index in enumerate(bad if damaged else []):
        path = folder / "train" / f"class{train.labels[index]}" / f"{index:05}.png"
        path.unlink()
        broken[place % len(broken)].write(path)
    return len(bad) if damaged else 0


def _folders(work: Path) -> dict[str, Path]:
    """The sound and the damaged folder, made once."""
    found = {name: work / name for name in ("sound", "damaged")}
    if not (work / "ready").is_file():
        parts = load("cifar10")
        train, test = in_memory(parts.train), in_memory(parts.test) if parts.test else in_memory(parts.val)
        few, tested = (_few(part, count) for part, count in ((train, TRAIN_IMAGES), (test, TEST_IMAGES)))
        for name, folder in found.items():
            shutil.rmtree(folder, ignore_errors=True)
            write_folder(folder, few, tested, damaged=name == "damaged")
        (work / "ready").touch()
    return found


def _few(part: Images, count: int) -> Images:
    places = few_of_each(part.labels.numpy(), count)
    return Images(part.images[places], part.labels[places])


def _train(folder: Path, run: Path, seed: int) -> int:
    """Train one network in this process; it is a fork."""
    recipe = replace(
        get_recipe("fast/cifar10"),
        name="selftest/bad-files",
        model_options={},
        batch_size=512,
        folder_pixels=32,
        epochs=None,
        cpu_minutes=None,
        steps=STEPS,
        precision="native",
    )
    shutil.rmtree(run, ignore_errors=True)
    train_run(recipe, Settings(str(folder), seed=seed, device="cpu", max_bad=2 * BAD_SHARE), run)
    return 0


def both(seed: int, work: Path) -> dict[str, Any]:
    """Test accuracies of the two trainings of a seed, and how many files each left out; trained once."""
    path = work / f"seed-{seed}.json"
    if not path.is_file():
        found = {}
        for name, folder in _folders(work).items():
            run = work / f"run-{name}-{seed}"
            child = fork(partial(_train, folder, run, seed), work / f"{name}-{seed}.log")
            try:
                code = child.wait(TRAINING_SECONDS)
            finally:
                child.kill()
            if code != 0:
                return {"failed": f"training on the {name} folder ended with {code}; see {name}-{seed}.log"}
            result = json.loads((run / "result.json").read_text(encoding="utf-8"))
            data = json.loads((run / "data.json").read_text(encoding="utf-8"))
            found[name] = {"top1": result["test"]["top1"], "skipped": len(data["skipped"])}
        path.write_text(json.dumps(found), encoding="utf-8")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def points_lost(found: dict[str, Any]) -> float:
    """How many points of test accuracy the damage cost; below 0 where it helped."""
    return 100 * float(found["sound"]["top1"] - found["damaged"]["top1"])


def run_bad_files(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    """Train the seed of each case twice; the last case is the mean over all seeds."""
    for case in cases:
        began = time.monotonic()
        outcome = _mean(work) if case == SEEDS else _seed(case, work)
        yield replace(outcome, case=case, seconds=time.monotonic() - began)


def _seed(seed: int, work: Path) -> Outcome:
    found = both(seed, work)
    if "failed" in found:
        return Outcome(seed, "one seed", "failed", False, found["failed"], 0)
    lost, skipped = points_lost(found), found["damaged"]["skipped"]
    whole = found["sound"]["skipped"] == 0 and skipped == round(BAD_SHARE * TRAIN_IMAGES) and lost < LARGEST_POINTS
    seen = f"seed {seed}: {skipped} files left out by name, {lost:+.2f} points lost"
    return Outcome(seed, "one seed", "trained", whole, seen, 0)


def _mean(work: Path) -> Outcome:
    found = [both(seed, work) for seed in range(SEEDS)]
    if failed := next((each["failed"] for each in found if "failed" in each), None):
        return Outcome(SEEDS, "mean of the seeds", "failed", False, failed, 0)
    lost = [points_lost(each) for each in found]
    mean, error = statistics.mean(lost), statistics.stdev(lost) / len(lost) ** 0.5
    seen = f"{mean:+.2f} points lost in the mean of {SEEDS} seeds, standard error {error:.2f}"
    figures = {"mean_points_lost": mean, "standard_error_points": error}
    return Outcome(SEEDS, "mean of the seeds", "compared", mean <= POINTS, seen, 0, figures)


BAD_FILES = Part(
    "bad-files",
    Goal(
        f"training on a folder of which {BAD_SHARE:.0%} of the files cannot be read ends within {POINTS:g} points of "
        f"the sound one, in the mean of {SEEDS} seeds",
        limits={"mean_points_lost": POINTS},
    ),
    cases=SEEDS + 1,
    quick=range(0),
    run=run_bad_files,
)
