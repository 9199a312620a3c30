"""Which network a file of weights is of, by labelled images: every network that it fits, with every usual input.

A network put together wrongly, or fed otherwise than it was trained, is right far less often. Train images serve
where there are some, so that nothing is chosen by test images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnlab.data.named import is_name
from cnnlab.data.parts import Part, Parts, choose
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError, UsageError
from cnnlab.evaluate.classifier import Classifier
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.strangers import Known, assumed_for, build, candidates, named_by, preprocessing
from cnnlab.evaluate.tested_on import load_unseen, split_there
from cnnlab.models.official_weights import CAFFE_BGR, CIFAR_MEAN, CIFAR_STD, HALF, MEAN, STD, find_by_sha256
from cnnlab.models.recognise import Candidate
from cnnlab.types import Preprocess, Split

IMAGES = 200
NORMALISATIONS: dict[int, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    3: {
        "CIFAR-10's": (CIFAR_MEAN, CIFAR_STD),
        "CIFAR-100's": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
        "ImageNet's": (MEAN, STD),
        "-1 to 1": (HALF, HALF),
        "0 to 1": ((0.0,) * 3, (1.0,) * 3),
    },
    1: {"MNIST's": ((0.1307,), (0.3081,)), "-1 to 1": ((0.5,), (0.5,)), "0 to 1": ((0.0,), (1.0,))},
}
"""By number of channels: what people subtract and divide by, and what it is called."""


@dataclass(frozen=True)
class Trial:
    """One network with one input: the share of `images`, of the part `split`, that it was right about.

    With the 95% interval.
    """

    candidate: Candidate
    normalisation: str
    preprocess: Preprocess
    images: int
    top1: float
    interval95: tuple[float, float]
    split: Split = Split.TRAIN


def try_all(
    path: Path, data: str, known: Known | None = None, *, folder: Path | None = None, device: str = "auto"
) -> list[Trial]:
    """Try every network that the file at `path` fits, with every usual normalisation, the best first.

    On at most 200 labelled images of `data`, drawn evenly, of its train part where it has one.

    Raises:
        DataError: the file or the data cannot be used.
        UsageError: no network fits, or the data has another number of classes.
    """
    known = known or Known()
    weights = known.which.read(path)
    published = find_by_sha256(weights.sha256)
    part: Part | Photos | None = None
    split = Split.TRAIN
    trials = []
    for candidate in candidates(weights, known):
        usual, _ = preprocessing(candidate, known, published)
        try:
            classifier, _ = build(weights, candidate, usual, known, device=device)
        except DataError:
            continue  # named by its options, and not this file's
        classifier = named_by(classifier, data, folder)
        if part is None:
            part, split = _images(classifier, data, folder)
        trials += [_try(classifier, candidate, name, each, part) for name, each in _inputs(candidate, known, usual)]
    found = [replace(each, split=split) for each in trials if each is not None]
    if not found:
        raise UsageError(f"no network that {path} fits takes the images of {data}")
    return sorted(found, key=lambda each: -each.top1)


def clear_winner(trials: Sequence[Trial]) -> Trial | None:
    """The best trial, if no other network comes near it: none whose interval reaches into its own."""
    best = trials[0]
    others = [each for each in trials if each.candidate != best.candidate]
    guessed = best.top1 <= 0 or any(each.interval95[1] >= best.interval95[0] for each in others)
    return None if guessed else best


def _inputs(candidate: Candidate, known: Known, usual: Preprocess) -> Iterator[tuple[str, Preprocess]]:
    if known.mean is not None:
        yield "as given", usual
        return
    for name, (mean, std) in NORMALISATIONS.get(len(usual.mean), {}).items():
        yield name, replace(assumed_for(candidate), mean=mean, std=std)
    if len(usual.mean) == 3 and usual.crop_pixels and usual.crop_pixels >= 224:
        yield "Caffe's, blue first", replace(assumed_for(candidate), mean=CAFFE_BGR.mean, std=CAFFE_BGR.std, bgr=True)


def _images(classifier: Classifier, data: str, folder: Path | None) -> tuple[Part | Photos, Split]:
    names = classifier.config.labels.names
    if is_name(data):
        parts: Parts = load_data(data, folder=folder, photos=True)
    else:
        parts = load_unseen(names, [], data, folder=folder)
    split = Split.TRAIN if len(parts.train) else split_there(parts)
    part = getattr(parts, split)
    if part is None or not len(part):
        raise DataError(f"{data} has no labelled images to try on")
    places = np.linspace(0, len(part) - 1, min(IMAGES, len(part))).round().astype(np.int64)
    return choose(part, places), split


def _try(
    classifier: Classifier, candidate: Candidate, name: str, preprocess: Preprocess, part: Part | Photos
) -> Trial | None:
    tried = replace(classifier, config=replace(classifier.config, preprocess=preprocess))
    try:
        found, _ = examine([tried], part, split=Split.TRAIN, why="trial")
    except UsageError:
        return None  # a network for images of another size
    return Trial(candidate, name, preprocess, found.images, found.top1, found.interval95)
