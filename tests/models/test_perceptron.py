from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost
from cnnlab.models.perceptron import perceptron


def test_28x28_300_10_counts():
    assert cost(perceptron(), 1, 28) == Cost(784 * 300 + 300 + 300 * 10 + 10, 784 * 300 + 300 * 10)


def test_hidden_units_are_squashed_to_1_7159():
    hidden = perceptron().features(1000 * torch.randn(4, 1, 28, 28))["hidden"]
    assert hidden.shape == (4, 300)
    assert hidden.abs().max().item() == pytest.approx(1.7159)


def test_another_size_is_refused_and_can_be_built():
    with pytest.raises(UsageError, match="28x28 pixels only"):
        perceptron()(torch.zeros(1, 1, 32, 32))
    assert perceptron(pixels=32, in_channels=3)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
