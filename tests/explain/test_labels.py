from __future__ import annotations

import pytest
import torch

from cnnlab.data.preprocess import measure, normalise
from cnnlab.data.synthetic import synthetic
from cnnlab.explain.labels import FILTERS, LabelCheck, check_labels, random_features


@pytest.fixture(scope="module")
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    part = synthetic(500, 0, 0).train
    return normalise(part.images, measure(part.images)), part.labels


def test_true_labels_are_far_above_chance(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    found = check_labels(*drawn)
    assert found is not None
    assert found.images == 250
    assert found.chance == pytest.approx(0.1)
    assert found.top1 > 0.5
    assert found.z > 20


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_are_at_chance(seed: int, drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, labels = drawn
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    found = check_labels(images, labels[order], seed)
    assert found is not None
    assert found.z < 4


def test_too_few_images_say_nothing(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert check_labels(drawn[0][:300], drawn[1][:300]) is None
    assert check_labels(torch.zeros(500, 1, 8, 8), torch.zeros(500, dtype=torch.int64)) is None


def test_z_is_in_standard_errors_of_the_binomial() -> None:
    assert LabelCheck(top1=0.16, chance=0.1, images=900).z == pytest.approx(6.0)


def test_features_have_no_negative_number_and_large_images_are_made_small() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 3, 96, 64, generator=generator)
    found = random_features(images, generator)
    assert found.shape == (6, 4 * FILTERS)
    assert bool((found >= 0).all())
