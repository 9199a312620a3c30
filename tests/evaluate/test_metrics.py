"""Our metrics against scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)
from sklearn.metrics import (
    confusion_matrix as sklearn_confusion,
)
from torch import Tensor

from cnnlab.evaluate.metrics import (
    ClassMetrics,
    area_under_roc,
    averages,
    brier_score,
    calibration_error,
    class_metrics,
    confusion_matrix,
    negative_log_likelihood,
    top_k_accuracy,
    top_k_hits,
)


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


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_torchmetrics(k: int) -> None:
    from torchmetrics.functional.classification import multiclass_accuracy

    probabilities, labels = drawn(300, 10, k)
    expected = multiclass_accuracy(probabilities, labels, num_classes=10, top_k=k, average="micro")
    assert top_k_accuracy(probabilities, labels, k) == pytest.approx(float(expected), abs=1e-6)


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


def test_a_certain_mistake_costs_much_but_not_infinity() -> None:
    assert negative_log_likelihood(torch.tensor([[1.0, 0.0]]), torch.tensor([1])) == pytest.approx(27.631, abs=1e-3)


# -- class by class ------------------------------------------------------------------------------------------------


@cases
def test_the_confusion_matrix_is_scikit_learns(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    expected = sklearn_confusion(labels.numpy(), probabilities.argmax(1).numpy(), labels=np.arange(classes))
    assert confusion_matrix(probabilities, labels).tolist() == expected.tolist()


@cases
def test_precision_recall_and_f1_are_scikit_learns(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    guesses, every, present = probabilities.argmax(1).numpy(), np.arange(classes), np.unique(labels.numpy())
    found = class_metrics(probabilities, labels)
    for place, name in enumerate(("precision", "recall", "f1", "images")):
        expected = precision_recall_fscore_support(labels.numpy(), guesses, labels=every, zero_division=0)[place]
        assert [getattr(each, name) or 0 for each in found] == pytest.approx(expected.tolist(), abs=1e-6)
    for average, mean in averages(found).items():
        expected = precision_recall_fscore_support(
            labels.numpy(), guesses, labels=present, average=average, zero_division=0
        )
        assert (mean.precision, mean.recall, mean.f1) == pytest.approx(expected[:3], abs=1e-6)
        assert mean.images == images


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@cases
def test_mean_recall_is_scikit_learns_balanced_accuracy(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    labels = labels.clamp_max(max(0, classes - 2))  # the last class has no images, and is guessed
    macro = averages(class_metrics(probabilities, labels))["macro"]
    expected = balanced_accuracy_score(labels.numpy(), probabilities.argmax(1).numpy())
    assert macro.recall == pytest.approx(expected, abs=1e-6)


@cases
def test_auc_is_scikit_learns_one_against_the_rest(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    for place, each in enumerate(class_metrics(probabilities, labels)):
        mine = labels == place
        if mine.all() or not mine.any():
            assert each.auc is None
        else:
            assert each.auc == pytest.approx(roc_auc_score(mine.numpy(), probabilities[:, place].numpy()), abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=50))
def test_auc_counts_ties_for_half_as_scikit_learn_does(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = torch.tensor([each for each, _ in pairs]) / 4, torch.tensor([each for _, each in pairs])
    found = area_under_roc(scores, positive)
    if positive.all() or not positive.any():
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(positive.numpy(), scores.numpy()), abs=1e-6)


@given(seed=st.integers(0, 2**32))
def test_auc_of_the_opposite_is_what_is_left_of_one(seed: int) -> None:
    probabilities, labels = drawn(30, 4, seed)
    scores, positive = probabilities[:, 0], labels == 0
    found, opposite = area_under_roc(scores, positive), area_under_roc(-scores, positive)
    if found is not None and opposite is not None:
        assert found + opposite == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_mean_auc_is_scikit_learns(average: str) -> None:
    probabilities, labels = drawn(300, 6, 1)
    expected = roc_auc_score(labels.numpy(), probabilities.numpy(), multi_class="ovr", average=average)
    assert averages(class_metrics(probabilities, labels))[average].auc == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_means_are_torchmetrics(average: str) -> None:
    from torchmetrics.functional import classification as tm

    probabilities, labels = drawn(400, 7, 2)
    mean = averages(class_metrics(probabilities, labels))[average]
    assert mean.auc is not None
    found = (mean.precision, mean.recall, mean.f1, mean.auc)
    named = (tm.multiclass_precision, tm.multiclass_recall, tm.multiclass_f1_score, tm.multiclass_auroc)
    expected = [float(each(probabilities, labels, num_classes=7, average=average)) for each in named]
    assert found == pytest.approx(expected, abs=1e-6)


def test_of_a_class_without_images_nothing_is_known_and_the_means_leave_it_out() -> None:
    probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.1, 0.9, 0.0], [0.3, 0.7, 0.0]])
    found = class_metrics(probabilities, torch.tensor([0, 1, 1, 0]))
    assert found[2] == ClassMetrics(precision=None, recall=None, f1=None, auc=None, images=0)
    macro = averages(found)["macro"]
    assert (macro.recall, macro.precision) == pytest.approx((0.75, 5 / 6))
    assert macro.auc == pytest.approx(roc_auc_score([0, 1, 1, 0], probabilities[:, 1].numpy()))


def test_a_class_without_images_that_is_guessed_has_precision_0() -> None:
    probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7]])
    found = class_metrics(probabilities, torch.tensor([0, 1]))
    assert (found[2].precision, found[2].recall) == (0.0, None)
    assert averages(found)["macro"].recall == 0.5


def test_of_no_images_there_are_no_means() -> None:
    nothing = averages(class_metrics(torch.empty(0, 2), torch.empty(0, dtype=torch.int64)))
    assert nothing["macro"] == ClassMetrics(precision=None, recall=None, f1=None, auc=None, images=0)


# -- how far probabilities can be believed -------------------------------------------------------------------------


@cases
def test_brier_is_scikit_learns(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    expected = brier_score_loss(labels.numpy(), probabilities.numpy(), labels=np.arange(classes), scale_by_half=False)
    assert brier_score(probabilities, labels) == pytest.approx(expected, abs=1e-6)


@given(images=st.integers(1, 200), classes=st.integers(2, 12), seed=st.integers(0, 2**32))
def test_ece_is_torchmetrics_with_15_bins(images: int, classes: int, seed: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    probabilities, labels = drawn(images, classes, seed)
    expected = multiclass_calibration_error(probabilities, labels, num_classes=classes, n_bins=15, norm="l1")
    assert calibration_error(probabilities, labels) == pytest.approx(float(expected), abs=1e-6)


@cases
def test_ece_and_brier_stay_in_their_ranges(images: int, classes: int, seed: int) -> None:
    probabilities, labels = drawn(images, classes, seed)
    assert 0 <= calibration_error(probabilities, labels) <= 1
    assert 0 <= brier_score(probabilities, labels) <= 2


def test_certainty_belongs_to_the_last_bin_and_its_errors_count() -> None:
    sure = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 0])
    assert calibration_error(sure, labels) == pytest.approx(0.25)
    assert brier_score(sure, labels) == pytest.approx(0.5)


def test_of_no_images_there_is_no_error() -> None:
    probabilities, labels = torch.empty(0, 3), torch.empty(0, dtype=torch.int64)
    assert brier_score(probabilities, labels) == 0.0
    assert calibration_error(probabilities, labels) == 0.0
    assert confusion_matrix(probabilities, labels).sum() == 0
