from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from cnnlab.explain.flow import from_dict
from cnnlab.explain.live import MOST_SAMPLES, LiveFlow, scalars


class Training:
    """A small network with a batch norm, trained by hand and watched."""

    def __init__(self, *, lr: float = 0.05, every: int = 2, earlier: list[Any] | None = None) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        self.images, self.labels = torch.randn(12, 1, 8, 8), torch.arange(12) % 3
        self.lr, self.every = lr, every
        self.records: list[Mapping[str, Any]] = []
        self.plotted: list[Mapping[str, float]] = []
        self.said: list[str] = []
        self.live = self.watch(earlier or [])

    def watch(self, earlier: list[Any]) -> LiveFlow:
        return LiveFlow(
            self.network, num_classes=3, steps=10, earlier=earlier, record=self._record, say=self.said.append,
            every=self.every,
        )  # fmt: skip

    def _record(self, values: Mapping[str, Any], plotted: Mapping[str, float]) -> None:
        self.records.append(json.loads(json.dumps(values, allow_nan=False)))
        self.plotted.append(plotted)

    def take(self, steps: range, *, scale: float = 1.0) -> None:
        optimizer = torch.optim.SGD(self.network.parameters(), lr=self.lr / scale)
        for step in steps:
            self.live.before_step(step)
            loss = F.cross_entropy(self.network(self.images), self.labels)
            optimizer.zero_grad()
            (scale * loss).backward()
            optimizer.step()
            self.live.after_step(step, loss=loss.item(), top1=0.5, gradient_scale=scale)


def test_sampled_steps_are_recorded_and_plotted() -> None:
    training = Training()
    training.take(range(5))
    assert [each["step"] for each in training.records] == [0, 2, 4]
    flow = from_dict(training.records[0]["flow"])
    assert [each.name for each in flow.layers] == ["0", "4"]
    assert training.plotted[0] == scalars(flow)
    assert set(scalars(flow)) == {
        f"{what}/{name}" for what in ("gradient norm", "update over weight", "activations") for name in "04"
    }
    assert training.said == []


def test_a_scaled_loss_gives_the_same_gradients() -> None:
    plain, scaled = Training(), Training()
    plain.take(range(1))
    scaled.take(range(1), scale=1024.0)
    norms = [[layer["gradient_norm"] for layer in each.records[0]["flow"]["layers"]] for each in (plain, scaled)]
    assert norms[0] == pytest.approx(norms[1])


def test_a_scaler_that_still_looks_for_its_scale_is_passed_over() -> None:
    training = Training()
    training.take(range(1), scale=1e38)
    assert training.records == []
    assert training.said == []


def test_a_verdict_is_said_once() -> None:
    training = Training()
    with torch.no_grad():
        training.network[0].weight.zero_()
    training.take(range(5))
    assert len([each for each in training.said if "wrong initialisation" in each]) == 1
    assert training.said[0].startswith("step 0: wrong initialisation: ")
    assert "; remedy: " in training.said[0]


def test_a_rate_is_judged_after_a_few_samples_only() -> None:
    training = Training(lr=1e-9)
    training.take(range(3))
    assert training.said == []
    training.take(range(3, 5))
    assert [each.partition(":")[2].partition(":")[0] for each in training.said] == [" learning rate too low"]


def test_norms_frozen_on_purpose_are_no_ailment_and_others_are() -> None:
    said = []
    for frozen in (True, False):
        training = Training()
        training.network[1].requires_grad_(not frozen).eval()
        training.live = training.watch([])
        training.take(range(1))
        said.append(training.said)
    assert said[0] == []
    assert "batch norm in the wrong mode" in said[1][0]


def test_a_run_that_goes_on_keeps_what_was_seen_and_said(tmp_path: Path) -> None:
    first = Training(lr=1e-9)
    first.take(range(5))
    assert len(first.said) == 1
    second = Training(lr=1e-9, earlier=first.records)
    second.take(range(6, 7))
    assert second.said == []
    second.live.draw(tmp_path / "flow.png", title="went on")
    with Image.open(tmp_path / "flow.png") as picture:
        assert picture.width > 1000


def test_nothing_seen_nothing_drawn(tmp_path: Path) -> None:
    Training().live.draw(tmp_path / "flow.png", title="nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_long_training_is_looked_at_less_often() -> None:
    live = LiveFlow(nn.Linear(2, 2), num_classes=2, steps=10**6, earlier=[], record=lambda *_: None, say=print)
    assert sum(map(live.samples, range(0, 10**6, 100))) == MOST_SAMPLES


def test_numbers_that_json_has_not_are_not_recorded() -> None:
    training = Training()
    training.take(range(1))
    flow = from_dict(training.records[0]["flow"])
    sick = replace(flow, layers=(replace(flow.layers[0], gradient_norm=math.inf), *flow.layers[1:]))
    training.live._flow.after_step = lambda step, *, gradient_scale: sick  # type: ignore[method-assign]
    training.live.after_step(2, loss=1.0, top1=0.5)
    assert len(training.records) == 1
