from __future__ import annotations

from functools import partial

import pytest
import torch

from cnnlab.bench import growth
from cnnlab.bench.growth import DOUBLE, HALF, MEASURED, PREDICTED, count, measure, peak
from cnnlab.bench.row import Plan
from cnnlab.bench.training import paper_rule
from cnnlab.bench.turns import own_processes
from cnnlab.measure import machine
from cnnlab.measure.machine import Machine
from cnnlab.models.catalog import create_model
from cnnlab.models.describe import cost

from .conftest import Here

COMPUTING = Machine(macs_per_second=1.0, bytes_per_second=1e30)  # where only the multiply-accumulates take time


def test_what_is_counted_of_a_pass() -> None:
    found, twice = count("resnet20", 2, COMPUTING), count("resnet20", 4, COMPUTING)
    forward = 2 * cost(create_model("resnet20"), 3, 32).macs
    assert 2.95 * forward < found.macs < 3 * forward  # images need no gradient
    assert found.floor_seconds == found.macs
    assert twice.macs == 2 * found.macs
    assert twice.kept_bytes == pytest.approx(2 * found.kept_bytes, rel=0.01)  # but for the statistics of the norms
    assert found.parameter_bytes == twice.parameter_bytes == 4 * 269_722
    assert found.held_bytes == found.kept_bytes + 8 * 269_722


def test_the_deeper_network_has_twice_the_work() -> None:
    half, double = (cost(create_model(name), 3, 32).macs for name in (HALF, DOUBLE))
    assert double / half == pytest.approx(2, abs=0.02)


def test_predictions_stand_beside_what_came(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here(growth)
    for name, value in {
        "DEPTHS": ("resnet20", "resnet32"),
        "HALF": "resnet20",
        "DOUBLE": "resnet32",
        "BATCHES": (2, 4, 8),
        "BATCH": 2,
        "STEPS": 1,
        "FEW_IMAGES": 4,
        "IN_MEMORY": 8,
        "MEMORY_STEPS": 1,
        "MEMORY_ROUNDS": 1,
    }.items():
        monkeypatch.setattr(growth, name, value)
    monkeypatch.setattr(growth, "return_freed_memory", lambda: None)
    monkeypatch.setitem(machine.MATRIX_SIDE, "cpu", 128)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**20)
    found = measure(Plan(rounds=1, threads=torch.get_num_threads()))
    assert [case.unit for case in found.cases] == ["times"] * 3 + ["MB"] * 3
    assert all(list(case.values) == [PREDICTED, MEASURED] and case.against == PREDICTED for case in found.cases)
    flops, images, batch, *memory = (case.values[PREDICTED][0] for case in found.cases)
    assert 1.5 < flops < 2
    assert (images, batch) == (10.0, 2.0)
    assert memory[1] == pytest.approx(2 * 9 * 8 * 3 * 32 * 32 / 1e6)
    assert [plot.name for plot in found.plots] == ["time-by-flops", "speed-by-batch", "memory-by-batch"]
    for plot in found.plots:
        expected, measured = plot.curves
        assert (expected.dashed, measured.dashed) == (True, False)
        assert expected.points[0] == pytest.approx(measured.points[0])


@pytest.mark.slow
def test_the_memory_of_a_larger_batch_is_what_is_counted() -> None:
    peaks = []
    for size in (64, 128):
        with own_processes({"step": partial(peak, paper_rule("resnet20", size), images=128)}) as works:
            peaks.append(works["step"](2))
    kept = [count("resnet20", size, COMPUTING).kept_bytes for size in (64, 128)]
    assert peaks[1] - peaks[0] == pytest.approx(kept[1] - kept[0], rel=0.1)
