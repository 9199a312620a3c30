"""What saving costs a training: the time its thread waits for a checkpoint, and what the writing takes off its steps.

python bench/checkpoint_overhead.py --turns 40

The same number of steps is timed with a checkpoint begun at their start and without, in turns, so that a machine that
slows down slows both. What a checkpoint costs is the mean difference of the two; the overhead of one a minute is a
sixtieth of that.
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

RESULT = Path(__file__).parent / "results" / "checkpoint-overhead.json"
SAVE_SECONDS = 60.0  # the command line's own


@dataclass(frozen=True)
class Pair:
    """The same steps without a checkpoint and with one, and how long the training's thread waited to begin it."""

    plain_seconds: float
    saving_seconds: float
    begin_seconds: float


def take_steps(training: Training, steps: int, *, saves: bool) -> tuple[float, float]:
    """Seconds of so many steps, with a checkpoint begun before them if `saves`; and of beginning it."""
    started = time.perf_counter()
    if saves:
        training.begin_save()
    begun = time.perf_counter() - started
    for _ in range(steps):
        training.step()
    training.saver.wait()
    return time.perf_counter() - started, begun


def measure_pairs(recipe: Recipe, turns: int, steps: int, device: torch.device) -> list[Pair]:
    """Pairs of turns, the checkpoint now in the first and now in the second, after one pair that does not count."""
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
            save_seconds=1e9,
            watch=Watch(),
        )
        pairs = []
        for turn in range(turns + 1):
            found = {saves: take_steps(training, steps, saves=saves) for saves in (turn % 2 == 0, turn % 2 == 1)}
            pairs.append(Pair(found[False][0], *found[True]))
        return pairs[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="resnet2015/cifar10")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--steps", type=int, default=10, help="of a turn")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    recipe = replace(get_recipe(args.recipe), model=args.model, steps=10**9, epochs=None)
    pairs = measure_pairs(recipe, args.turns, args.steps, device)
    extra = [each.saving_seconds - each.plain_seconds for each in pairs]
    found = {
        "model": args.model,
        "steps": args.steps,
        "save_seconds": SAVE_SECONDS,
        "plain_seconds": statistics.mean(each.plain_seconds for each in pairs),
        "extra_seconds": statistics.mean(extra),
        "standard_error_seconds": statistics.stdev(extra) / len(extra) ** 0.5,
        "begin_seconds": max(each.begin_seconds for each in pairs),
        "pairs": [asdict(each) for each in pairs],
        "environment": {name: value for name, value in environment(device).items() if name != "command"},
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(
        f"{args.model} on {device}: a checkpoint takes {1e3 * found['extra_seconds']:.0f} ms "
        f"(standard error {1e3 * found['standard_error_seconds']:.0f}) off {args.turns} x {args.steps} steps, "
        f"{found['extra_seconds'] / SAVE_SECONDS:.2%} at one a minute; the training's thread waited "
        f"{1e3 * found['begin_seconds']:.1f} ms at most"
    )


if __name__ == "__main__":
    main()
