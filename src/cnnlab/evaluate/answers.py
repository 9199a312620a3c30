"""What a network says of each image of a part: what reports and comparisons are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.data.parts import Part, file_of, name_of, photos_of
from cnnlab.data.paths import whole_path
from cnnlab.data.photos import Photos
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.predict import Outcome


@dataclass(frozen=True)
class ClassScore:
    """How many images of a class were recognised, with the 95% interval of that share."""

    name: str
    images: int
    recognised: int
    interval95: tuple[float, float]


@dataclass(frozen=True)
class Answers:
    """A network's answer to each image of a part; plain numbers, ready for JSON.

    `indices` (N,) say where in the part the images are; `labels` and `guesses` are class numbers (N,); `confidences`
    are the probabilities of the guesses, `label_probabilities` those of the labels. Where the images are files, `names`
    are their paths, below `folder` where each is a file of its own.
    """

    split: str
    protocol: str
    class_names: tuple[str, ...]
    indices: tuple[int, ...]
    labels: tuple[int, ...]
    guesses: tuple[int, ...]
    confidences: tuple[float, ...]
    label_probabilities: tuple[float, ...]
    per_class: tuple[ClassScore, ...]
    names: tuple[str, ...] = ()
    folder: str | None = None

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Whether each image was recognised, (N,)."""
        return np.equal(self.guesses, self.labels)

    @property
    def top1(self) -> float:
        """The share of images recognised."""
        return float(self.hits.mean()) if self.labels else 0.0


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: where in the part the image is, what it is called, its file if it is one, and how sure it was."""

    index: int
    name: str
    file: str | None
    label: str
    guess: str
    confidence: float


def answers_from(
    outcome: Outcome,
    class_names: Sequence[str],
    *,
    split: str,
    protocol: str,
    part: Part | Photos | None = None,
) -> Answers:
    """The answers in what `predict_part` or `examine` found of the images of `part`, whose files they name."""
    probabilities, labels = outcome.probabilities, outcome.labels
    confidences, guesses = (each[:, 0] for each in probabilities.topk(1, dim=1))
    hits = (guesses == labels).numpy()
    photos = None if part is None else photos_of(part)
    indices = outcome.indices.tolist()
    return Answers(
        split=split,
        protocol=protocol,
        class_names=tuple(class_names),
        indices=tuple(indices),
        labels=tuple(labels.tolist()),
        guesses=tuple(guesses.tolist()),
        confidences=tuple(confidences.tolist()),
        label_probabilities=tuple(probabilities.gather(1, labels[:, None])[:, 0].tolist()),
        per_class=tuple(_score(name, hits[labels.numpy() == place]) for place, name in enumerate(class_names)),
        names=() if photos is None else tuple(photos.names[index] for index in indices),
        folder=_folder(photos),
    )


def _folder(photos: Photos | None) -> str | None:
    """The whole path of the folder that photos lie in as files of their own; None for members of shards."""
    if photos is None or not len(photos) or photos.files.path(0) is None:
        return None
    return str(whole_path(photos.files.folder))


def _score(name: str, hits: npt.NDArray[np.bool_]) -> ClassScore:
    recognised = int(hits.sum())
    return ClassScore(name, len(hits), recognised, wilson(recognised, len(hits)))


def mistakes(outcome: Outcome, part: Part | Photos, class_names: Sequence[str], count: int) -> list[Mistake]:
    """The `count` wrong answers that the network was surest of, surest first, with what the images are called."""
    confidences, guesses = (each[:, 0] for each in outcome.probabilities.topk(1, dim=1))
    wrong = torch.nonzero(guesses != outcome.labels)[:, 0]
    order = wrong[torch.argsort(confidences[wrong], descending=True, stable=True)][:count].tolist()
    found = []
    for place in order:
        index = int(outcome.indices[place])
        path = file_of(part, index)
        found.append(
            Mistake(
                index=index,
                name=name_of(part, index),
                file=None if path is None else str(whole_path(path)),
                label=class_names[int(outcome.labels[place])],
                guess=class_names[int(guesses[place])],
                confidence=float(confidences[place]),
            )
        )
    return found


def worst_mistakes(answers: Answers, count: int) -> list[int]:
    """Where in the part the `count` wrong answers are that the network was surest of, surest first."""
    wrong = np.flatnonzero(~answers.hits)
    order = np.argsort(-np.asarray(answers.confidences)[wrong], kind="stable")
    return [answers.indices[place] for place in wrong[order[:count]]]
