"""Results made up for the tests of verdicts: a test part of 1,000 images, of which a share is recognised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab.reproduce.runs import Result

IMAGES = 1_000
Made = Callable[..., Result]


def made(error: float, *, train_error: float | None = None, seed: int = 0, diverged: bool = False) -> Result:
    """A run with this test error, whose metrics fall in a straight line to the training error."""
    hits = np.random.default_rng(seed + round(1e6 * error)).permutation(IMAGES) >= round(error * IMAGES)
    last = error if train_error is None else train_error
    records = []
    for step in range(100, 1_001, 100):
        top1 = 1 - last * (2 - min(1.0, step / 900))
        for split in ("train", "val"):
            records.append(
                {"step": step, "epoch": step // 100, "split": split, "top1": top1, "loss": 1 - top1, "lr": 0.1}
            )
    return Result(Path(f"run-{error}-{seed}"), seed, 60.0, 1, hits, records, diverged=diverged)


@pytest.fixture
def result() -> Made:
    """`made`: a run's result from its errors."""
    return made
