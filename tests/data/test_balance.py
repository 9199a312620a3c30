from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from cnnlab.data.balance import class_weights, image_weights
from cnnlab.data.sampler import weighted_order
from cnnlab.errors import DataError

LABELS = torch.tensor([0] * 60 + [1] * 25 + [2] * 15)


def test_weights_are_scikit_learns_balanced_ones() -> None:
    known = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    assert class_weights(LABELS, 3).tolist() == pytest.approx(known.tolist())
    assert image_weights(LABELS, 3) == pytest.approx(compute_sample_weight("balanced", LABELS.numpy()))


def test_a_class_without_images_has_no_weight() -> None:
    assert class_weights(torch.tensor([0, 0, 2, 2]), 4).tolist() == [1, 0, 1, 0]


def test_every_class_is_drawn_alike() -> None:
    weights = image_weights(LABELS, 3)
    drawn = np.concatenate([LABELS.numpy()[weighted_order(0, epoch, weights)] for epoch in range(60)])
    assert np.bincount(drawn) / len(drawn) == pytest.approx([1 / 3] * 3, abs=0.02)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_a_label_out_of_range_is_refused(labels: list[int]) -> None:
    with pytest.raises(DataError, match=r"labels run from .*; accepted: 0 to 2"):
        class_weights(torch.tensor(labels), 3)


def test_no_labels_are_refused() -> None:
    with pytest.raises(DataError, match="no labels to balance"):
        class_weights(torch.zeros(0, dtype=torch.int64), 3)
