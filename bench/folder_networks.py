"""Train networks on a small folder of photos, each by the recipe that is chosen for it.

python bench/folder_networks.py PHOTOS --out bench/results/folder-networks.json [--models 'resnet*' vgg16] [--steps 60]

PHOTOS has train/ with some photos of each class, and test/ with others. Each network is trained without a limit on
its time, so that a busy machine gives the same figures; what is too large for three minutes on two cores is not
trained. The record grows with every network, and those in it are not trained again. `--steps` trains for a part of the
steps that are chosen, which shows on a busy machine that these are enough.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cnnlab.data import sources
from cnnlab.models.table import read_table
from cnnlab.recipes.choose import Images, choose, cpu
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.chosen import network_cost
from cnnlab.train.record import environment
from cnnlab.train.run import Settings, train_run

CORES = 2
# One of each kind, which are trained first.
FIRST = (
    *("airnet", "perceptron", "lenet5", "lenet5_modern", "lenet_caffe", "resnet20", "nin_cifar", "vgg_cifar"),
    *(
        "resnet18",
        "highway_dense",
        "plain_dense",
        "highway19",
        "googlenet_2014",
        "googlenet",
        "alexnet",
        "bn_inception",
    ),
    *("nin_imagenet", "plain20", "seresnet20", "resnetv2_110", "vgg11_bn", "densenet121", "resnext50_32x4d"),
    *("seresnet50", "wide_resnet50_2", "res2net50_26w_4s", "inception_v3", "resnet_matlab", "vgg11", "residual_units"),
)


def main() -> None:
    args = arguments()
    record = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else begin(args)
    done = {each["model"] for each in record["networks"]}
    costs = {row.name: cost for row in read_table() if (cost := network_cost(row)) is not None}
    images = Images(record["train_images"], record["classes"])
    for name in [*FIRST, *costs]:
        if name in done or not any(fnmatch.fnmatch(name, each) for each in args.models):
            continue
        done.add(name)
        recipe = choose(costs[name], images, cpu(CORES), None, tuple(costs.values()))
        record["networks"].append(trained(args.photos, recipe, args.steps))
        args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(record["networks"][-1]), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["*"])
    parser.add_argument("--photos-are", default="photos", help="what they show, for the record")
    parser.add_argument("--steps", type=int, help="at most, of those that are chosen")
    return parser.parse_args()


def begin(args: argparse.Namespace) -> dict[str, Any]:
    """A record without networks yet."""
    parts = sources.load(args.photos, photos=True)
    assert parts.test is not None
    return {
        "photos": args.photos_are,
        "train_images": len(parts.train),
        "val_images": len(parts.val),
        "test_images": len(parts.test),
        "classes": len(parts.class_names),
        "cores": CORES,
        "threads": torch.get_num_threads(),
        "environment": {**environment(torch.device("cpu")), "command": None},
        "networks": [],
    }


def trained(photos: Path, recipe: Recipe, steps: int | None) -> dict[str, Any]:
    """What came of one network: its recipe in a few numbers, and its accuracy or why it was not trained."""
    told = {
        "model": recipe.model,
        "recipe": recipe.name,
        "optimizer": recipe.optimizer.kind,
        "lr": recipe.optimizer.lr,
        "pixels": recipe.folder_pixels,
        "batch_size": recipe.batch_size,
        "chosen_steps": recipe.steps,
    }
    too_large = [reason for reason in recipe.reasons if "too large" in reason]
    if too_large:
        return {**told, "too_large": too_large[0]}
    recipe = replace(recipe, cpu_minutes=None, steps=min(recipe.steps or 0, steps) if steps else recipe.steps)
    started, cpu_started = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(data=str(photos), device="cpu", save_seconds=3600)
        result = train_run(recipe, settings, Path(scratch) / "run").result
    return {
        **told,
        "steps": result["steps"],
        "top1": result["test"]["top1"],
        "interval95": result["test"]["interval95"],
        "learned": result["learned"],
        "train_loss": result["train_loss"],
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
