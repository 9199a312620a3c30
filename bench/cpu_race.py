"""CIFAR-10 on a CPU against the clock: our fast recipe, the record's script ported as it is, and the usual ResNet-20.

    git clone https://github.com/KellerJordan/cifar10-airbench
    python bench/cpu_race.py cifar10-airbench/airbench94_muon.py --runs 3 --out bench/results/cpu-race.json

Each turn is a whole run of ours (all 50,000 images, its test included), one epoch of the script (in float32, and in
bfloat16 where the processor has it) and some steps of the usual loop; slow peers are not run to the end each time: the
script's whole run is its epoch's seconds times 8 and its final test, the usual loop's the paper's 64,000 steps.
`--full` adds a run of the script to its end, for its accuracy. Results are written after each turn; `--add` goes on
with them. Without a script it is ours against the usual loop alone; `--minutes` shortens ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from airbench_cpu import EPOCHS, FORMATS, ported_run
from cnnlab.bench.time_to_accuracy import usual_seconds
from cnnlab.models.precision import has_bf16
from cnnlab.train.record import environment

CPU = torch.device("cpu")
ROUNDS = 3  # of the usual loop, a turn


def our_run(recipe: str, minutes: float | None, seed: int) -> dict[str, Any]:
    """A run of `cnnlab train` in a process and folder of its own, on all training images."""
    with tempfile.TemporaryDirectory() as folder:
        run = ["--run", f"{folder}/run", "--seed", str(seed), "--final", "--json"]
        run += [] if minutes is None else ["--minutes", str(minutes)]
        said = subprocess.run(
            [sys.executable, "-m", "cnnlab", "train", "--recipe", recipe, *run], stdout=subprocess.PIPE, check=True
        ).stdout
    result: dict[str, Any] = json.loads(said)
    kept = ("recipe", "epochs", "steps", "train_seconds", "images_per_second", "parameters")
    return {
        **{name: result[name] for name in kept},
        "test": result["test"],
        "seconds": result["train_seconds"] + result["test"]["seconds"],
    }


def peer_epoch(script: Path, number_format: str, seed: int) -> dict[str, Any]:
    """An epoch of the script and its final test, and what a whole run takes by them."""
    first, last = ported_run(script, epochs=1, number_format=number_format, seed=seed)
    epoch, test = first["seconds"], last["seconds"] - first["seconds"]
    return {"epoch_seconds": epoch, "test_seconds": test, "seconds": EPOCHS * epoch + test}


def turn(recipe: str, minutes: float | None, script: Path | None, seed: int) -> dict[str, Any]:
    """One turn of all, the order changed every other time."""
    found: dict[str, Any] = {"seed": seed}
    ours = recipe if minutes is None else f"{recipe} in {minutes:g} minutes"
    works = {ours: partial(our_run, recipe, minutes, seed)}
    if script is not None:
        formats = ("float32", "bfloat16") if has_bf16(CPU) else ("float32",)
        works |= {f"airbench94_muon, {each}": partial(peer_epoch, script, each, seed) for each in formats}
    for name in list(works)[:: 1 if seed % 2 == 0 else -1]:
        found[name] = works[name]()
        print(f"turn {seed}, {name}: {json.dumps(found[name])}", flush=True)
    found["usual loop"] = {"seconds": statistics.median(usual_seconds(ROUNDS))}
    print(f"turn {seed}, usual loop: {found['usual loop']['seconds'] / 60:.0f} min", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script", type=Path, nargs="?")
    parser.add_argument("--recipe", default="fast/cifar10")
    parser.add_argument("--minutes", type=float, help="of ours (default: the recipe's)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--full", choices=FORMATS, help="run the script to its end, too")
    parser.add_argument("--add", action="store_true", help="go on with what --out holds")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    begun = {"turns": [], "full": {}, "environment": environment(CPU)}
    record: dict[str, Any] = json.loads(args.out.read_text()) if args.add else begun
    first = len(record["turns"])
    for seed in range(first, first + args.runs):
        record["turns"].append(turn(args.recipe, args.minutes, args.script, seed))
        args.out.write_text(json.dumps(record, indent=1) + "\n")
    if args.full:
        if args.script is None:
            parser.error("--full needs the script")
        record["full"][args.full] = list(ported_run(args.script, number_format=args.full))
        args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
