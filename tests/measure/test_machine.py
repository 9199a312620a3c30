import pytest
import torch

from cnnlab.measure import machine
from cnnlab.measure.machine import Machine, measure_machine


def test_the_floor_is_the_larger_of_work_and_traffic() -> None:
    roof = Machine(macs_per_second=1e9, bytes_per_second=1e8)
    assert roof.floor_seconds(10**9, 10**6) == 1.0
    assert roof.floor_seconds(10**3, 10**8) == 1.0


def test_this_machine_computes_and_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.MATRIX_SIDE, "cpu", 256)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**22)
    found = measure_machine(torch.device("cpu"), torch.float32)
    assert found.macs_per_second > 1e8
    assert found.bytes_per_second > 1e7
