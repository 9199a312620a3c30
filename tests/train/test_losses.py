"""Every loss against its formula by hand, and against torch, scikit-learn and timm where they have it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import hinge_loss
from torch import Tensor

from cnnlab.recipes.recipe import (
    CrossEntropy,
    Hinge,
    Loss,
    MaximumAPosteriori,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiMargin,
)
from cnnlab.train.losses import build_loss, image_losses

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -0.2]])
LABELS = torch.tensor([0, 2])
ALL: list[Loss] = [
    CrossEntropy(),
    Hinge(),
    Hinge(power=2),
    MultiMargin(),
    MeanSquaredError(),
    MeanAbsoluteError(),
    MaximumAPosteriori(rubbish=0.1),
]

BY_HAND: list[tuple[Loss, list[float]]] = [
    # Caffe's: label 0 wants above 1, the others below -1: max(0, 1-2) + max(0, 1-1) + max(0, 1+0.5); 1 + 1.3 + 1.2.
    (Hinge(), [0 + 0 + 1.5, 1.0 + 1.3 + 1.2]),
    (Hinge(power=2), [1.5**2, 1.0 + 1.3**2 + 1.2**2]),
    # Right logit 2 is above the others by more than 1; right logit -0.2 is below 0 by 0.2 and 0.3 by 0.5.
    (MultiMargin(), [0.0, (1.2 + 1.5) / 3]),
    (MultiMargin(power=2), [0.0, (1.2**2 + 1.5**2) / 3]),
    (MultiMargin(margin=2.0), [0.5 / 3, (2.2 + 2.5) / 3]),
    (MeanSquaredError(), [(1.0 + 1.0 + 0.25) / 3, (0.0 + 0.09 + 1.44) / 3]),
    (MeanAbsoluteError(), [(1.0 + 1.0 + 0.5) / 3, (0.0 + 0.3 + 1.2) / 3]),
    (
        MaximumAPosteriori(rubbish=0.5),
        [
            math.log(math.exp(-0.5) + math.exp(2) + math.exp(-1) + math.exp(0.5)) - 2,
            math.log(math.exp(-0.5) + 1 + math.exp(0.3) + math.exp(-0.2)) + 0.2,
        ],
    ),
]


@pytest.mark.parametrize(("loss", "expected"), BY_HAND)
def test_the_loss_of_each_image_by_hand(loss: Loss, expected: list[float]) -> None:
    assert image_losses(loss, LOGITS, LABELS).tolist() == pytest.approx(expected, rel=1e-6)
    assert float(build_loss(loss)(LOGITS, LABELS)) == pytest.approx(sum(expected) / 2, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs_mean(smoothing: float) -> None:
    ours = build_loss(CrossEntropy(), label_smoothing=smoothing)(LOGITS, LABELS)
    torch.testing.assert_close(ours, F.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing))


def test_label_smoothing_by_hand() -> None:
    logs = LOGITS.log_softmax(dim=1)
    expected = [-(0.9 * logs[i, LABELS[i]] + 0.1 * logs[i].mean()) for i in range(2)]
    torch.testing.assert_close(image_losses(CrossEntropy(), LOGITS, LABELS, 0.1), torch.stack(expected))


def test_two_classes_hinge_agrees_with_scikit_learn() -> None:
    decision = torch.linspace(-2, 2, 9)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1, 0, 1])
    ours = image_losses(Hinge(), torch.stack([-decision, decision], dim=1), labels)
    assert float(ours.mean()) / 2 == pytest.approx(hinge_loss(labels.numpy(), decision.numpy()), rel=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(), Hinge(), MeanSquaredError(), MeanAbsoluteError()])
def test_whole_shares_are_the_same_as_labels(loss: Loss) -> None:
    shares = F.one_hot(LABELS, 3).float()
    torch.testing.assert_close(image_losses(loss, LOGITS, shares), image_losses(loss, LOGITS, LABELS))


def test_half_a_label_each_is_half_of_each_cross_entropy() -> None:
    shares = torch.tensor([[0.5, 0.5, 0.0]])
    first, second = (image_losses(CrossEntropy(), LOGITS[:1], torch.tensor([label])) for label in (0, 1))
    torch.testing.assert_close(image_losses(CrossEntropy(), LOGITS[:1], shares), (first + second) / 2)


def test_class_weights_are_torchs_over_images() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    ours = build_loss(CrossEntropy(), class_weights=weights)
    torchs = F.cross_entropy(LOGITS, LABELS, weight=weights, reduction="sum") / len(LABELS)
    torch.testing.assert_close(ours(LOGITS, LABELS), torchs)
    pieces = [ours(LOGITS[:1], LABELS[:1]) * 1, ours(LOGITS[1:], LABELS[1:]) * (len(LABELS) - 1)]
    torch.testing.assert_close(sum(pieces) / len(LABELS), ours(LOGITS, LABELS))
    torch.testing.assert_close(ours(LOGITS, F.one_hot(LABELS, 3).float()), ours(LOGITS, LABELS))


@pytest.mark.parametrize("loss", ALL)
def test_a_step_down_the_gradient_lowers_every_loss(loss: Loss) -> None:
    function = build_loss(loss)
    logits: Tensor = LOGITS.clone().requires_grad_()
    before = function(logits, LABELS)
    before.backward()
    assert logits.grad is not None
    assert function(logits.detach() - 0.01 * logits.grad, LABELS).item() < before.item()


@pytest.mark.parametrize("loss", ALL)
def test_half_precision_logits_are_summed_in_float32(loss: Loss) -> None:
    assert build_loss(loss)(LOGITS.bfloat16(), LABELS).dtype == torch.float32
