"""cnnlab's own training, step by step, on noise: what several rows measure."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from cnnlab.bench.turns import Work, timed
from cnnlab.data.parts import Part, Parts
from cnnlab.models.device import keep_freed_memory
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Recipe
from cnnlab.train.inputs import preprocess_for
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder
from cnnlab.train.watch import Watch
from cnnlab.types import PrecisionName

BATCH = 128  # the paper's
CPU = torch.device("cpu")
CLASSES = tuple(map(str, range(10)))
FAR = 10**9  # more steps, and seconds between checkpoints, than are ever reached


def noise(images: int, pixels: int = 32) -> Part:
    """So many images of noise in ten classes, uint8 (N, 3, pixels, pixels)."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 256, (images, 3, pixels, pixels), dtype=torch.uint8, generator=generator)
    return Part(drawn, torch.arange(images) % len(CLASSES))


def noise_parts(images: int) -> Parts:
    """A data set of so many images of noise to train on, and no others."""
    return Parts("noise", noise(images), noise(0), None, CLASSES, "drawn", "")


def paper_rule(model: str, batch_size: int, *, precision: PrecisionName = "fp32") -> Recipe:
    """The ResNet paper's rule for CIFAR-10 with `model`, on all images."""
    recipe = replace(get_recipe("resnet2015/cifar10"), val_images=0)
    return replace(recipe, model=model, batch_size=batch_size, precision=precision)


@contextmanager
def begun(
    recipe: Recipe,
    parts: Parts,
    *,
    device: torch.device = CPU,
    compiled: bool = False,
    graphs: bool = False,
    gpu_jpegs: bool = False,
) -> Iterator[Training]:
    """A training that never ends, before its first step, in a folder that goes; the rest is as in `Training`."""
    recipe = replace(recipe, steps=FAR, epochs=None, cpu_minutes=None)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", resume=False) as run:
        yield Training(
            recipe,
            parts,
            preprocess_for(recipe, parts),
            run,
            seed=0,
            device=device,
            minutes=None,
            compiled=compiled,
            save_seconds=FAR,
            watch=Watch(),
            gpu_jpegs=gpu_jpegs,
            graphs=graphs,
        )


@contextmanager
def training(recipe: Recipe, *, images: int, compiled: bool = False, strips: bool = True) -> Iterator[Work]:
    """Such a training on noise, memory kept as `cnnlab train` does: seconds of as many steps as asked for.

    Without `strips` narrow maps are not laid side by side where they would be.
    """
    keep_freed_memory()
    with begun(recipe, noise_parts(images), compiled=compiled) as made:
        if not strips:
            made.rule = replace(made.rule, precision=replace(made.rule.precision, strips=False))
        yield lambda count: timed(lambda: [made.step() for _ in range(count)])
