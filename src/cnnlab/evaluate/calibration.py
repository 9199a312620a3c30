"""Temperature scaling: probabilities that can be believed. Guo et al. 2017 (arXiv:1706.04599), section 4.2.

Logits are divided by one number, the temperature, that makes the validation images most likely. The order of the
classes stays, and with it every accuracy. A protocol of several views has probabilities, no logits: their logarithm
is taken for it, which for one view is the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.data.sampler import order
from cnnlab.errors import UsageError, value_problem
from cnnlab.evaluate.classifier import Classifier
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.metrics import brier_score, calibration_error, negative_log_likelihood
from cnnlab.evaluate.predict import Outcome
from cnnlab.types import Split

CALIBRATION = "calibration.json"
COLDEST, HOTTEST = 1 / 20, 20.0
HALVINGS = 60
HALVES_SEED = 1  # of the halves of a validation part that has to serve for both


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it was fitted on: `calibration.json` of a run folder."""

    temperature: float
    data: str
    protocol: str
    images: int
    weights_sha256: str


@dataclass(frozen=True)
class Trust:
    """How far probabilities can be believed: see `negative_log_likelihood`, `brier_score`, `calibration_error`."""

    nll: float
    brier: float
    ece: float


@dataclass(frozen=True)
class Judged:
    """A temperature, and what it changes on images that it was not fitted on.

    `fitted_on` says in words which images it was fitted on; `judged_images` counts those that `before` and `after` are
    of.
    """

    temperature: float
    fitted_on: str
    judged_images: int
    before: Trust
    after: Trust


def judge(temperature: float, outcome: Outcome) -> Judged:
    """What a temperature fitted on the validation part is worth on answers to other images."""
    return _judged(temperature, "the val part", outcome.probabilities, outcome.labels)


def judge_in_halves(outcome: Outcome) -> Judged:
    """What temperature scaling is worth on validation images: fitted on one half of them, judged on the other.

    The halves are drawn by chance, always the same. Nothing is saved.

    Raises:
        UsageError: there are not two images.
    """
    images = len(outcome.labels)
    if images < 2:
        raise UsageError(
            f"{images} validation images cannot both fit a temperature and judge it; give data with a test part, or "
            "leave out --calibration"
        )
    shuffled = order(HALVES_SEED, 0, images)
    fitted, judged = np.sort(shuffled[: images // 2]), np.sort(shuffled[images // 2 :])
    temperature = fit_temperature(outcome.probabilities[fitted], outcome.labels[fitted])
    words = f"one half of the val part ({len(fitted):,} images), judged on the other ({len(judged):,})"
    return _judged(temperature, words, outcome.probabilities[judged], outcome.labels[judged])


def _judged(temperature: float, fitted_on: str, probabilities: Tensor, labels: Tensor) -> Judged:
    after = trust(scale(probabilities, temperature), labels)
    return Judged(temperature, fitted_on, len(labels), trust(probabilities, labels), after)


def calibrate(
    members: Sequence[Classifier], val: Part | Photos, data: str, protocol: str, *, max_bad: float = 0.01
) -> float:
    """The temperature of an ensemble for a protocol, fitted on the validation split of `data` alone.

    That of a single run is saved in its folder, and read from there the next time.

    Raises:
        UsageError: there are no validation images.
    """
    only = members[0]
    saved_in = only.folder if len(members) == 1 else None
    saved = read_calibration(saved_in, data, protocol, only.config.weights_sha256) if saved_in else None
    if saved is not None:
        return saved.temperature
    if not len(val):
        raise UsageError(
            f"{data} has no validation images to fit a temperature on; "
            "train without --final, or leave out --calibration"
        )
    _, outcome = examine(members, val, protocol=protocol, split=Split.VAL, max_bad=max_bad)
    temperature = fit_temperature(outcome.probabilities, outcome.labels)
    if saved_in is not None:
        found = Calibration(temperature, data, protocol, len(outcome.labels), only.config.weights_sha256)
        with contextlib.suppress(OSError):  # where it cannot be kept, it is fitted again the next time
            save_calibration(saved_in, found)
    return temperature


def trust(probabilities: Tensor, labels: Tensor) -> Trust:
    """The three measures of probabilities (N, K)."""
    return Trust(
        nll=negative_log_likelihood(probabilities, labels),
        brier=brier_score(probabilities, labels),
        ece=calibration_error(probabilities, labels),
    )


def scale(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities (N, K) float64 after division of their logits by `temperature`."""
    return (_logits(probabilities) / temperature).softmax(dim=1)


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """The temperature, from 1/20 to 20, at which the labels (N,) are most likely.

    The likelihood is concave in 1 / temperature: its slope is halved in on. Where it has none, because every
    image is recognised, say, the end of the range comes out.
    """
    logits = _logits(probabilities)
    right = logits.gather(1, labels[:, None])[:, 0]
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = ((logits * middle).softmax(dim=1) * logits).sum(dim=1)
        if float((right - expected).mean()) > 0:
            low = middle
        else:
            high = middle
    return 2 / (low + high)


def _logits(probabilities: Tensor) -> Tensor:
    return probabilities.double().clamp_min(torch.finfo(torch.float32).tiny).log()


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write `calibration.json` into a run folder, aside first and then renamed."""
    aside = folder / f"{CALIBRATION}.incomplete"
    aside.write_text(json.dumps(asdict(calibration), indent=1), encoding="utf-8")
    aside.replace(folder / CALIBRATION)


def read_calibration(folder: Path, data: str, protocol: str, weights_sha256: str) -> Calibration | None:
    """The run's temperature for this data, protocol and weights, None if it was never fitted.

    Raises:
        UsageError: `calibration.json` is not what was written.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return None
    try:
        found = TypeAdapter(Calibration).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(
            f"{path} holds no temperature: {value_problem(error.errors()[0])}; remove it to fit again"
        ) from None
    same = (found.data, found.protocol, found.weights_sha256) == (data, protocol, weights_sha256)
    return found if same else None
