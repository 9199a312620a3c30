from __future__ import annotations

import json
import signal
from pathlib import Path

from cnnlab.selftest.kills import CASES, KILLS, WAYS, same_end, signal_of, way_of


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


def test_every_network_is_killed_in_every_way() -> None:
    ways = {way_of(case) for case in range(CASES)}
    assert ways == set(WAYS)
    assert len(WAYS) == 4 * 2 * 4  # networks, processes, and images in memory or 0, 2, 4 workers
    assert KILLS.cases == CASES + 1


def test_two_of_seven_get_a_chance_to_save() -> None:
    sent = [signal_of(case) for case in range(CASES)]
    assert (sent.count(signal.SIGTERM), sent.count(signal.SIGKILL)) == (200, 500)
