"""What a network says of each image of a part: what reports and comparisons are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    are the probabilities of the guesses, `label_probabilities` those of the labels.
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

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Whether each image was recognised, (N,)."""
        return np.equal(self.guesses, self.labels)

    @property
    def top1(self) -> float:
        """The share of images recognised."""
        return float(self.hits.mean()) if self.labels else 0.0


def answers_from(outcome: Outcome, class_names: Sequence[str], *, split: str, protocol: str) -> Answers:
    """The answers in what `predict_part` or `examine` found."""
    probabilities, labels = outcome.probabilities, outcome.labels
    confidences, guesses = (each[:, 0] for each in probabilities.topk(1, dim=1))
    hits = (guesses == labels).numpy()
    return Answers(
        split=split,
        protocol=protocol,
        class_names=tuple(class_names),
        indices=tuple(outcome.indices.tolist()),
        labels=tuple(labels.tolist()),
        guesses=tuple(guesses.tolist()),
        confidences=tuple(confidences.tolist()),
        label_probabilities=tuple(probabilities.gather(1, labels[:, None])[:, 0].tolist()),
        per_class=tuple(_score(name, hits[labels.numpy() == place]) for place, name in enumerate(class_names)),
    )


def _score(name: str, hits: npt.NDArray[np.bool_]) -> ClassScore:
    recognised = int(hits.sum())
    return ClassScore(name, len(hits), recognised, wilson(recognised, len(hits)))


def worst_mistakes(answers: Answers, count: int) -> list[int]:
    """Where in the part the `count` wrong answers are that the network was surest of, surest first."""
    wrong = np.flatnonzero(~answers.hits)
    order = np.argsort(-np.asarray(answers.confidences)[wrong], kind="stable")
    return [answers.indices[place] for place in wrong[order[:count]]]
