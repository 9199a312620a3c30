"""A step of `fast/cifar10` and other ways of taking it, at each size of image that it trains on.

| way                    | what it does                                                                             |
|------------------------|------------------------------------------------------------------------------------------|
| as it is               | what `cnnlab train` does, in bf16 where the CPU computes with it                         |
| float32                | the same without bf16                                                                    |
| no strips              | narrow maps one by one; the same where the CPU has no matrix tiles                       |
| torch.compile          | fuses batch norm, SiLU and the shortcut's sum, forward and backward                      |
| in 4 or 16 pieces      | 256 or 64 images at a time, normalised by their own statistics, so that the cache holds  |
|                        | more of what a layer leaves to the next                                                  |
| the batch alone        | gathers, crops, mirrors and shrinks the images, and trains nothing: what could be saved  |
|                        | by making batches beside the steps                                                       |

The images are noise, which costs as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch

from cnnlab.bench.row import Case, Found, Plan
from cnnlab.bench.training import begun, noise_parts, training
from cnnlab.bench.turns import Way, Work, own_processes, take_turns, timed
from cnnlab.models.device import keep_freed_memory
from cnnlab.recipes.catalog import get_recipe
from cnnlab.recipes.recipe import Recipe, Resolution

RECIPE = get_recipe("fast/cifar10")
PIXELS = (16, 24, 32)
STEPS = 3  # a turn
AS_IT_IS, BATCH_ALONE = "as it is", "the batch alone"


def at(pixels: int) -> Recipe:
    """The recipe with images of this size from its first step on."""
    small = Resolution(until=RECIPE.resolutions[-1].until, pixels=pixels)
    return replace(RECIPE, resolutions=(small,) if pixels < PIXELS[-1] else ())


def ways(pixels: int) -> dict[str, Way]:
    """Each way of the table above, on images of this size."""
    recipe, images = at(pixels), STEPS * RECIPE.batch_size
    return {
        AS_IT_IS: partial(training, recipe, images=images),
        "float32": partial(training, replace(recipe, precision="fp32"), images=images),
        "no strips": partial(training, recipe, images=images, strips=False),
        "torch.compile": partial(training, recipe, images=images, compiled=True),
        "in 4 pieces": partial(training, replace(recipe, accumulate=4), images=images),
        "in 16 pieces": partial(training, replace(recipe, accumulate=16), images=images),
        BATCH_ALONE: partial(batches, recipe, images=images),
    }


@contextmanager
def batches(recipe: Recipe, *, images: int) -> Iterator[Work]:
    """The batches of a training that takes no step: seconds of as many as asked for."""
    keep_freed_memory()
    with begun(recipe, noise_parts(images)) as made:
        yield lambda count: timed(lambda: [made.images_of_step() for _ in range(count)])


def measure(plan: Plan) -> Found:
    """Images a second of each way, by the size of the images."""
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    cases = []
    for pixels in PIXELS:
        plan.say(f"fast-step: {pixels} pixels")
        with own_processes(ways(pixels), plan.threads) as works:
            seconds = take_turns({name: partial(work, STEPS) for name, work in works.items()}, plan.rounds)
        speeds = {name: [STEPS * RECIPE.batch_size / each for each in values] for name, values in seconds.items()}
        cases.append(Case(f"{pixels} pixels", "images/s", speeds, against=AS_IT_IS))
    shares = {pixels: 1 / case.ratio(BATCH_ALONE) for pixels, case in zip(PIXELS, cases, strict=True)}
    told = ", ".join(f"{share:.1%} at {pixels} pixels" for pixels, share in shares.items())
    figures = {f"batch_share_at_{pixels}": share for pixels, share in shares.items()}
    return Found(cases, figures=figures, notes=(f"Making the batch takes {told} of a step.",))
