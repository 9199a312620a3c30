from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnlab.selftest.kills import CASES, KILLS, WAYS, same_end


def a_run(folder: Path, weights: bytes, loss: float, seconds: float) -> Path:
    folder.mkdir()
    (folder / "result.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": loss, "seconds": seconds}) + "\n")
    return folder


def test_ends_differ_by_weights_and_records_but_not_by_speed(tmp_path: Path) -> None:
    first = a_run(tmp_path / "first", b"a", 1.0, 2.0)
    assert same_end(first, a_run(tmp_path / "same", b"a", 1.0, 3.0)) is None
    assert same_end(first, a_run(tmp_path / "weights", b"b", 1.0, 2.0)) == "its weights differ"
    assert same_end(first, a_run(tmp_path / "records", b"a", 1.1, 2.0)) == "its records differ"
    assert same_end(first, tmp_path / "never") == "it did not come to its end"


def test_four_networks_and_zero_two_and_four_workers_are_killed() -> None:
    assert len({way.name for way in WAYS} - {"photos"}) == 4
    assert {way.workers for way in WAYS} == {0, 2, 4}
    assert KILLS.cases == CASES + 1


@pytest.mark.faults
@pytest.mark.slow
def test_a_slice_of_kills_changes_nothing(tmp_path: Path) -> None:
    outcomes = list(KILLS.run([0, 3], tmp_path))
    assert all(each.passed for each in outcomes), outcomes
