from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from cnnlab.explain.flow import GateFlow, LayerFlow, NormFlow, StepFlow
from cnnlab.explain.trial import MANY_BATCHES, Trial, measure, run_trial

from .networks import Tiny


def layer(name: str, gradient: float, weight: float = 1.0, **other: object) -> LayerFlow:
    plain = LayerFlow(name, "Conv2d", "relu", weight, gradient, 0.01, 0.0, 1.0, 0.5, 0.0, 0.0)
    return replace(plain, **other)  # type: ignore[arg-type]


def trial(*layers: LayerFlow, losses: tuple[float, ...] = (2.0, 2.0, 1.0, 1.0), **parts: object) -> Trial:
    flow = StepFlow(0, 0.1, 0.5, layers, **parts)  # type: ignore[arg-type]
    return Trial((flow,), losses, (0.25,) * len(losses), num_classes=10)


def test_measures_by_hand() -> None:
    found = measure(trial(layer("a", 2e-3), layer("b", 2e-1), layer("c", 2.0), layer("d", 20.0, dead=0.5)))
    assert found.first_lever == pytest.approx(-3)  # 2e-3 * 1 / 2
    assert found.lever_span == pytest.approx(-4)
    assert found.gradient == pytest.approx(math.log10(20 / math.log(10)))
    assert found.signal_span == pytest.approx(0)
    assert (found.variation, found.dead, found.update, found.top1) == (0.5, 0.125, 0.01, 0.25)
    assert found.loss_start == pytest.approx(2 / math.log(10))
    assert found.loss_change == pytest.approx(0.5)
    assert found.gain == pytest.approx(math.log10(0.01 * (1e-3 + 0.1 + 1 + 10)))
    assert (found.image_offset, found.image_deviation) == (0.2, 0.5)
    assert found.labels_z is None
    assert found.norm_drift is None


def test_no_gradient_at_all_is_the_least_number() -> None:
    found = measure(trial(layer("a", 0.0, weight=0.0)))
    assert (found.first_lever, found.zero_weights, found.update) == (-30, 1, 0.0)


def test_infinite_numbers_are_large_ones() -> None:
    found = measure(trial(layer("a", math.inf), losses=(2.0, math.inf)))
    assert found.first_lever == 30
    assert not found.finite


def test_gates_do_not_count_as_saturated() -> None:
    layers = (layer("a", 1, activation="tanh", saturated=0.2), layer("g", 1, activation="sigmoid", saturated=1.0))
    assert measure(trial(*layers)).saturated == pytest.approx(0.6)
    assert measure(trial(*layers, gates=(GateFlow("g", 0.0),))).saturated == pytest.approx(0.2)


def test_only_norms_that_have_averaged_enough_drift() -> None:
    norms = (NormFlow("new", True, 1, 9.0, 1.0), NormFlow("old", False, MANY_BATCHES, 0.5, math.exp(-2)))
    found = measure(trial(layer("a", 1), norms=norms))
    assert found.norm_drift == pytest.approx(2)
    assert found.norms_in_eval == 0.5


def test_a_trial_watches_every_nth_step_and_stops_at_no_number() -> None:
    torch.manual_seed(0)
    network, images, labels = Tiny(), torch.randn(4, 3, 8, 8), torch.arange(4) % 3
    losses = [1.0, 0.9, 0.8, math.nan, 0.7]

    def take_step(step: int) -> tuple[float, float]:
        F.cross_entropy(network(images), labels).backward()
        return losses[step], 0.5

    found = run_trial(network, take_step, steps=5, num_classes=3, every=2)
    assert [each.step for each in found.flows] == [0, 2]
    assert found.losses[:3] == (1.0, 0.9, 0.8)
    assert math.isnan(found.losses[3])
    assert len(found.losses) == 4


def test_a_step_that_fails_leaves_no_hook() -> None:
    network = Tiny()

    def fail(step: int) -> tuple[float, float]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        run_trial(network, fail, steps=2, num_classes=3)
    assert not network.conv1._forward_hooks
