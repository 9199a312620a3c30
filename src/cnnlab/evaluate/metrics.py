"""How good predictions are: pure functions of probabilities and labels."""

from __future__ import annotations

from torch import Tensor


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


def per_class_accuracy(probabilities: Tensor, labels: Tensor) -> list[float | None]:
    """For each class the share of its images that are recognised, None where it has no image."""
    hits = top_k_hits(probabilities, labels)
    found = []
    for each in range(probabilities.shape[1]):
        mine = labels == each
        found.append(float(hits[mine].float().mean()) if bool(mine.any()) else None)
    return found
