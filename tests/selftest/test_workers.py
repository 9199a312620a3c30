from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.selftest.workers import FAULTS, WORKERS, way_of


def test_every_fault_meets_two_workers_and_four() -> None:
    met = {(case % len(FAULTS), way_of(case).workers) for case in range(WORKERS.cases)}
    assert len(met) == 2 * len(FAULTS)
    assert WORKERS.goal.limits == {"standstill_seconds": 30.0}


@pytest.mark.faults
def test_a_worker_that_is_killed_is_replaced_and_nothing_changes(tmp_path: Path) -> None:
    (outcome,) = WORKERS.run([0], tmp_path)
    assert outcome.passed, outcome
