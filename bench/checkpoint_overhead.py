"""What saving costs a training: the time its thread waits for a checkpoint, and what the writing takes off its steps.

python bench/checkpoint_overhead.py --minutes 3

Steps of one network are taken for as long as was asked, with a checkpoint every so many seconds, and without, in turns
of one interval each, so that a machine that slows down slows both. The overhead is by steps a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from cnnlab.data.preprocess import measure
from cnnlab.data.synthetic import synthetic
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder, environment
from cnnlab.train.watch import Watch


@dataclass(frozen=True)
class Turn:
    """One interval of training: steps a second, and how long the training's thread waited to begin a save."""

    saves: bool
    steps_per_second: float
    begin_seconds: float


def take_turn(training: Training, seconds: float, *, saves: bool) -> Turn:
    """Train for `seconds`, with one checkpoint begun at their start if `saves`."""
    started, first, begun = time.perf_counter(), training.clock.step, 0.0
    if saves:
        training.begin_save()
        begun = time.perf_counter() - started
    while time.perf_counter() - started < seconds:
        training.step()
    steps = (training.clock.step - first) / (time.perf_counter() - started)
    training.saver.wait()
    return Turn(saves, steps, begun)


def measure_overhead(recipe: Recipe, minutes: float, save_seconds: float, device: torch.device) -> list[Turn]:
    """Turns without and with a save, after one of each that does not count."""
    parts = synthetic(train_images=20 * recipe.batch_size, val_images=0, test_images=0)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", resume=False) as run:
        training = Training(
            recipe,
            parts,
            measure(parts.train.images),
            run,
            seed=0,
            device=device,
            minutes=None,
            compiled=False,
            save_seconds=save_seconds,
            watch=Watch(),
        )
        turns = max(1, round(minutes * 60 / save_seconds / 2))
        take_turn(training, 5.0, saves=True)
        return [take_turn(training, save_seconds, saves=saves) for _ in range(turns) for saves in (False, True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="resnet2015/cifar10")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--save-seconds", type=float, default=60.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="write the record as JSON")
    args = parser.parse_args()
    device = torch.device(args.device)
    recipe = replace(get_recipe(args.recipe), model=args.model, steps=10**9, epochs=None)
    turns = measure_overhead(recipe, args.minutes, args.save_seconds, device)
    plain, saving = ([each for each in turns if each.saves is saves] for saves in (False, True))
    speeds = [statistics.median(each.steps_per_second for each in group) for group in (plain, saving)]
    found = {
        "model": args.model,
        "save_seconds": args.save_seconds,
        "steps_per_second": speeds[0],
        "steps_per_second_saving": speeds[1],
        "overhead": 1 - speeds[1] / speeds[0],
        "begin_seconds": max(each.begin_seconds for each in saving),
        "turns": [asdict(each) for each in turns],
        "environment": environment(device),
    }
    print(
        f"{args.model} on {device}, a checkpoint every {args.save_seconds:g} s: {speeds[0]:.2f} steps/s without, "
        f"{speeds[1]:.2f} with, overhead {found['overhead']:.2%}; "
        f"its thread waited {1e3 * found['begin_seconds']:.1f} ms "
        f"at most, {found['begin_seconds'] / args.save_seconds:.3%} of the time"
    )
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
