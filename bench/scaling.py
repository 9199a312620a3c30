"""Two processes of one thread beside one process of two: `python bench/scaling.py`; writes bench/results/scaling.json.

The same global batch on the same two cores, gloo between the processes, runs interleaved; images a second of the
training steps alone, without start, validation and report.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cnnlab.recipes.recipe import Flip, OneCycle, PadCrop, Recipe, Sgd, to_dict
from cnnlab.train.record import processor_name

RESULT = Path(__file__).parent / "results" / "scaling.json"
ROUNDS = 5
STEPS = 30
RECIPE = Recipe(
    name="bench/scaling",
    paper="none",
    model="resnet20",
    data="synthetic",
    batch_size=128,
    steps=STEPS,
    optimizer=Sgd(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=OneCycle(peak_at=0.2),
    augment=(PadCrop(pixels=4), Flip()),
    val_images=64,
)
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cnnlab"]
WAYS = {  # the start of a command, threads of each process
    "1 process x 2 threads": (["-m", "cnnlab"], 2),
    "2 processes x 1 thread": (TORCHRUN, 1),
    "2 processes x 1 thread, norms synchronised": (TORCHRUN, 1),
}


def images_per_second(way: str, folder: Path) -> float:
    start, threads = WAYS[way]
    recipe = folder / "recipe.json"
    recipe.write_text(json.dumps(to_dict(RECIPE)))
    train = ["train", "synthetic", "--recipe", str(recipe), "--run-folder", str(folder / "run"), "--device", "cpu"]
    train += ["--threads", str(threads), "--save-seconds", "3600", "--json", *(["--sync-bn"] if "norms" in way else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    ended = subprocess.run(
        [sys.executable, *start, *train], check=True, capture_output=True, text=True, env=environment
    )
    found: float = json.loads(ended.stdout)["images_per_second"]
    return found


def main() -> None:
    measured: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):  # interleaved, so that all meet the same machine
        for way, rates in measured.items():
            with tempfile.TemporaryDirectory() as folder:
                rates.append(images_per_second(way, Path(folder)))
    medians = {way: statistics.median(rates) for way, rates in measured.items()}
    one = medians["1 process x 2 threads"]
    found = {
        "unit": "images/s",
        "model": RECIPE.model,
        "batch_size": RECIPE.batch_size,
        "steps": STEPS,
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "rates": measured,
        "median": medians,
        "efficiency": {way: rate / one for way, rate in medians.items()},
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    for way, rate in medians.items():
        low, high = min(measured[way]), max(measured[way])
        print(f"{way}: {rate:.0f} images/s ({low:.0f} to {high:.0f}), {rate / one:.0%} of one process x 2 threads")


if __name__ == "__main__":
    main()
