from __future__ import annotations

import pytest

from cnnlab.bench import resnet20_train
from cnnlab.bench.resnet20_train import NATIVE, OURS, measure
from cnnlab.bench.row import Plan
from cnnlab.measure import machine

from .conftest import Here


def test_all_loops_are_measured_and_the_share_of_the_peak_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(resnet20_train)
    monkeypatch.setattr(resnet20_train, "STEPS", 1)
    monkeypatch.setattr(resnet20_train, "REST_SECONDS", 0.0)
    monkeypatch.setattr(resnet20_train, "MATRIX_SIDE", 128)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**20)
    without_workers = {name: way for name, way in resnet20_train.WAYS.items() if "2 workers" not in name}
    monkeypatch.setattr(resnet20_train, "WAYS", without_workers)
    found = measure(Plan(rounds=1))
    [case] = found.cases
    assert set(case.values) == {"usual loop, 0 workers", OURS, NATIVE}
    assert case.unit == "images/s"
    assert case.against == "usual loop, 0 workers"
    assert found.figures["share_of_matrix_product"] > 0
    assert "of the float32 matrix product" in found.notes[0]
