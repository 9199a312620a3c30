"""How good predictions are: pure functions of probabilities and labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CALIBRATION_BINS = 15  # Guo et al. 2017 (arXiv:1706.04599)


def top_k_hits(probabilities: Tensor, labels: Tensor, k: int = 1) -> Tensor:
    """For each image whether its label is among the `k` most probable classes.

    Args:
        probabilities: (N, K), or anything that ranks the classes alike, such as logits.
        labels: (N,) int64 class numbers.
        k: how many guesses count; more than K means all of them.

    Returns:
        (N,) bool.
    """
    guesses = probabilities.topk(min(k, probabilities.shape[1]), dim=1).indices
    return (guesses == labels[:, None]).any(dim=1)


def top_k_accuracy(probabilities: Tensor, labels: Tensor, k: int = 1) -> float:
    """The share of images, in [0, 1], whose label is among the `k` most probable classes."""
    return int(top_k_hits(probabilities, labels, k).sum()) / max(1, len(labels))


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> float:
    """Mean of -log p(label) in nats, for probabilities (N, K) whose rows sum to one."""
    chosen = probabilities.gather(1, labels[:, None]).clamp_min(1e-12)
    return float(-chosen.log().mean()) if len(labels) else 0.0


# -- class by class --------------------------------------------------------------------------------------------


def confusion_matrix(probabilities: Tensor, labels: Tensor) -> Tensor:
    """How often each class (row) was taken for each class (column): int64 (K, K)."""
    classes = probabilities.shape[1]
    guesses = probabilities.topk(1, dim=1).indices[:, 0]
    return torch.bincount(labels * classes + guesses, minlength=classes**2).view(classes, classes)


@dataclass(frozen=True)
class ClassMetrics:
    """One class against all others, shares in [0, 1]; a class that was never guessed has precision 0.

    Of a class without images nothing is known: its recall and F1 are None, and so is its precision where it was never
    guessed. `auc` is the chance that an image of the class has a higher probability of it than one of another class;
    None where there are no images of the one or of the other.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    images: int


def class_metrics(probabilities: Tensor, labels: Tensor) -> list[ClassMetrics]:
    """Precision, recall, F1 and one-vs-rest AUC of each class, in the order of the columns."""
    confusion = confusion_matrix(probabilities, labels)
    found = []
    for each in range(len(confusion)):
        right, images = int(confusion[each, each]), int(confusion[each].sum())
        guessed = int(confusion[:, each].sum())
        auc = area_under_roc(probabilities[:, each], labels == each)
        found.append(
            ClassMetrics(
                precision=right / max(1, guessed) if images or guessed else None,
                recall=right / images if images else None,
                f1=2 * right / (guessed + images) if images else None,
                auc=auc,
                images=images,
            )
        )
    return found


def area_under_roc(scores: Tensor, positive: Tensor) -> float | None:
    """The chance that a positive image scores higher than a negative one, ties counting half; None if one kind lacks.

    Args:
        scores: (N,), higher for what is held to be positive.
        positive: (N,) bool.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, places, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = (ends - (counts - 1) / 2)[places]  # from 1 on; equal scores share the mean of theirs
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def averages(classes: list[ClassMetrics]) -> dict[str, ClassMetrics]:
    """The mean of the classes that have images (`macro`), and weighted by images (`weighted`).

    A class without images is left out, as scikit-learn leaves it out of its balanced accuracy. There is no AUC where
    one of the others has none.
    """
    shown = [each for each in classes if each.images]
    images = sum(each.images for each in shown)
    return {
        "macro": _mean(shown, [1 / len(shown) for _ in shown], images),
        "weighted": _mean(shown, [each.images / images for each in shown], images),
    }


def _mean(classes: list[ClassMetrics], weights: list[float], images: int) -> ClassMetrics:
    def mean(values: list[float | None]) -> float | None:
        known = [each for each in values if each is not None]
        if not values or len(known) < len(values):
            return None
        return sum(weight * value for weight, value in zip(weights, known, strict=True))

    return ClassMetrics(
        precision=mean([each.precision for each in classes]),
        recall=mean([each.recall for each in classes]),
        f1=mean([each.f1 for each in classes]),
        auc=mean([each.auc for each in classes]),
        images=images,
    )


# -- how far probabilities can be believed ---------------------------------------------------------------------


def brier_score(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over images of the squared distance between probabilities and truth, in [0, 2] (Brier 1950)."""
    if not len(labels):
        return 0.0
    truth = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return float((probabilities.double() - truth).square().sum(dim=1).mean())


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: how far confidence is from accuracy, in [0, 1]. Guo et al. 2017, equation 3.

    Images are put in `bins` of equal width by the probability of their guess, (0, 1/bins], …; a bin's gap counts as
    much as it has images.
    """
    confidence = probabilities.max(dim=1).values.double()
    hits = top_k_hits(probabilities, labels).double()
    places = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, places, hits - confidence)
    return float(gaps.abs().sum()) / max(1, len(labels))
