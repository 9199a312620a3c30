from __future__ import annotations

import importlib.util

import pytest
import torch

from cnnlab.bench import inference
from cnnlab.bench.inference import PLAIN, USUAL, measure, optimised, ours, theirs, ways
from cnnlab.bench.row import Plan
from cnnlab.models.pack import PackedConv

from .conftest import Here


def test_ways_that_need_what_is_not_here_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "installed", lambda *names: False)
    assert list(ways("resnet18")) == [PLAIN, USUAL, "cnnlab", "cnnlab, optimised"]
    monkeypatch.setattr(inference, "installed", lambda *names: True)
    assert list(ways("resnet18"))[4:] == ["cnnlab, torch.compile with freezing", "onnxruntime"]


def test_batches_of_each_way_are_measured(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(inference)
    monkeypatch.setattr(inference, "installed", lambda *names: False)
    monkeypatch.setattr(inference, "IMAGES", 1)
    found = measure("resnet18", Plan(rounds=1), batches=(1, 2))
    assert [(case.name, case.unit, case.against) for case in found.cases] == [
        ("batch 1", "ms", USUAL),
        ("batch 2", "images/s", USUAL),
    ]
    [plot] = found.plots
    assert [curve.label for curve in plot.curves] == list(found.cases[0].values)
    assert [x for x, _ in plot.curves[0].points] == [1, 2]


def test_both_networks_are_the_same_and_the_optimised_one_is_packed() -> None:
    plain, fast = ours("resnet18").eval(), optimised("resnet18")
    theirs("resnet18").load_state_dict(plain.state_dict(), strict=True)
    assert not plain.training
    assert any(isinstance(each, PackedConv) for each in fast.modules())
    assert not any(isinstance(each, torch.nn.BatchNorm2d) for each in fast.modules())


@pytest.mark.slow
def test_a_compiled_network_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config, "freezing", False)  # put back what the row changes
    with inference.answering(lambda: inference.compiled("resnet18"), "resnet18") as work:
        assert work(1) > 0


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
@pytest.mark.slow
def test_onnxruntime_answers_batches_of_any_size() -> None:
    with inference.in_onnxruntime("resnet18") as work:
        assert work(1) > 0
        assert work(3) > 0
