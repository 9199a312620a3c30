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
from cnnlab.data.preprocess import measure
from cnnlab.models.device import keep_freed_memory
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import PrecisionName
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder
from cnnlab.train.watch import Watch

BATCH = 128  # the paper's
CPU = torch.device("cpu")
CLASSES = tuple(map(str, range(10)))
FAR = 10**9  # more steps, and seconds between checkpoints, than are ever reached


def noise(images: int, pixels: int = 32) -> Part:
    """So many images of noise in ten classes, uint8 (N, 3, pixels, pixels)."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 256, (images, 3, pixels, pixels), dtype=torch.uint8, generator=generator)
    return Part(drawn, torch.arange(images) % len(CLASSES))


@contextmanager
def begun(model: str, *, images: int, batch_size: int = BATCH, precision: PrecisionName = "fp32") -> Iterator[Training]:
    """A training of `model` by the ResNet paper's rule for CIFAR-10, before its first step, in a folder that goes."""
    rule = replace(get_recipe("resnet2015/cifar10"), steps=FAR, epochs=None, val_images=0)
    recipe = replace(rule, model=model, batch_size=batch_size, precision=precision)
    train = noise(images)
    parts = Parts("noise", train, noise(0), None, CLASSES, "drawn", "")
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", resume=False) as run:
        yield Training(
            recipe,
            parts,
            measure(train.images, "pixel_mean"),
            run,
            seed=0,
            device=CPU,
            minutes=None,
            compiled=False,
            save_seconds=FAR,
            watch=Watch(),
        )


@contextmanager
def training(model: str, *, images: int, batch_size: int = BATCH, precision: PrecisionName = "fp32") -> Iterator[Work]:
    """Such a training, with memory kept as `cnnlab train` does: seconds of as many steps as asked for."""
    keep_freed_memory()
    with begun(model, images=images, batch_size=batch_size, precision=precision) as made:
        yield lambda count: timed(lambda: [made.step() for _ in range(count)])
