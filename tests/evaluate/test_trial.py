"""A trial finds the network and the input that a file was made with; see also tests/cli/test_strangers.py."""

from __future__ import annotations

import pytest

from cnnlab.evaluate.trial import NORMALISATIONS, Trial, clear_winner
from cnnlab.models.recognise import Candidate
from cnnlab.types import Preprocess


def trial(model: str, top1: float, low: float, high: float, normalisation: str = "") -> Trial:
    return Trial(Candidate(model), normalisation, Preprocess(None, None, (0.0,), (1.0,)), 200, top1, (low, high))


def test_the_best_wins_where_no_other_network_comes_near() -> None:
    best = trial("resnet20", 0.9, 0.85, 0.94)
    assert clear_winner([best, trial("plain20", 0.1, 0.07, 0.15)]) == best
    assert clear_winner([best]) == best


def test_another_input_of_the_same_network_is_no_rival() -> None:
    best = trial("resnet20", 0.9, 0.85, 0.94, "ImageNet's")
    assert clear_winner([best, trial("resnet20", 0.89, 0.84, 0.93, "CIFAR-10's")]) == best


@pytest.mark.parametrize("high", [0.85, 0.9])
def test_nothing_wins_where_another_network_may_be_as_good(high: float) -> None:
    assert clear_winner([trial("resnet20", 0.9, 0.85, 0.94), trial("plain20", 0.8, 0.75, high)]) is None
    assert clear_winner([trial("resnet20", 0.0, 0.0, 0.02)]) is None


def test_normalisations_have_a_number_for_each_channel() -> None:
    for channels, each in NORMALISATIONS.items():
        assert all(len(mean) == len(std) == channels for mean, std in each.values())
