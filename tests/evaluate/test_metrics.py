"""Our metrics against scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, recall_score, top_k_accuracy_score
from torch import Tensor

from cnnlab.evaluate.metrics import negative_log_likelihood, per_class_accuracy, top_k_accuracy, top_k_hits


def drawn(images: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random probabilities (N, K) without ties, and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator, dtype=torch.float64)
    return logits.softmax(dim=1), torch.randint(classes, (images,), generator=generator)


cases = given(images=st.integers(1, 40), classes=st.integers(3, 12), seed=st.integers(0, 2**32))


@cases
def test_top_1_is_scikit_learns_accuracy(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    expected = accuracy_score(labels.numpy(), probabilities.argmax(1).numpy())
    assert top_k_accuracy(probabilities, labels) == pytest.approx(expected, abs=1e-6)


@cases
def test_top_2_is_scikit_learns(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    expected = top_k_accuracy_score(labels.numpy(), probabilities.numpy(), k=2, labels=np.arange(classes))
    assert top_k_accuracy(probabilities, labels, 2) == pytest.approx(expected, abs=1e-6)


@cases
def test_the_loss_is_scikit_learns_and_torchs(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    found = negative_log_likelihood(probabilities, labels)
    assert found == pytest.approx(log_loss(labels.numpy(), probabilities.numpy(), labels=np.arange(classes)), abs=1e-6)
    assert found == pytest.approx(float(torch.nn.functional.nll_loss(probabilities.log(), labels)), abs=1e-6)


@cases
def test_accuracy_by_class_is_scikit_learns_recall(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    guesses = probabilities.argmax(1).numpy()
    present = sorted(set(labels.tolist()))
    expected = dict(zip(present, recall_score(labels.numpy(), guesses, labels=present, average=None), strict=True))
    for number, found in enumerate(per_class_accuracy(probabilities, labels)):
        assert found == (pytest.approx(expected[number], abs=1e-6) if number in expected else None)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_torchmetrics(k: int) -> None:
    from torchmetrics.functional.classification import multiclass_accuracy

    probabilities, labels = drawn(300, 10, k)
    expected = multiclass_accuracy(probabilities, labels, num_classes=10, top_k=k, average="micro")
    assert top_k_accuracy(probabilities, labels, k) == pytest.approx(float(expected), abs=1e-6)


def test_accuracy_by_class_is_torchmetrics() -> None:
    from torchmetrics.functional.classification import multiclass_accuracy

    probabilities, labels = drawn(300, 10, 0)
    expected = multiclass_accuracy(probabilities, labels, num_classes=10, average=None)
    assert per_class_accuracy(probabilities, labels) == pytest.approx(expected.tolist(), abs=1e-6)


@given(seed=st.integers(0, 2**32), scale=st.floats(0.5, 10))
def test_logits_rank_as_probabilities_do(seed: int, scale: float) -> None:
    probabilities, labels = drawn(20, 5, seed)
    assert torch.equal(top_k_hits(probabilities, labels, 2), top_k_hits(probabilities.log() * scale, labels, 2))


def test_more_guesses_than_classes_are_always_right() -> None:
    probabilities, labels = drawn(20, 3, 0)
    assert top_k_accuracy(probabilities, labels, 5) == 1.0


def test_of_no_images_nothing_is_right_and_nothing_is_lost() -> None:
    probabilities, labels = torch.empty(0, 3), torch.empty(0, dtype=torch.int64)
    assert top_k_accuracy(probabilities, labels) == 0.0
    assert negative_log_likelihood(probabilities, labels) == 0.0
    assert per_class_accuracy(probabilities, labels) == [None, None, None]


def test_a_certain_mistake_costs_much_but_not_infinity() -> None:
    assert negative_log_likelihood(torch.tensor([[1.0, 0.0]]), torch.tensor([1])) == pytest.approx(27.631, abs=1e-3)
