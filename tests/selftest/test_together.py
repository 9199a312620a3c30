from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cnnlab.selftest.together import start_together


def test_each_knows_its_rank_as_from_torchrun(tmp_path: Path) -> None:
    def work() -> int:
        print(os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["MASTER_PORT"], flush=True)
        return 0

    training = start_together(work, 3, tmp_path / "out.txt")
    assert training.wait(20) == 0
    rows = [line.split() for line in sorted((tmp_path / "out.txt").read_text().splitlines())]
    assert [row[:2] for row in rows] == [["0", "3"], ["1", "3"], ["2", "3"]]
    assert len({row[2] for row in rows}) == 1
    assert "MASTER_PORT" not in os.environ


def test_one_alone_is_told_nothing(tmp_path: Path) -> None:
    training = start_together(lambda: "RANK" in os.environ, 1, tmp_path / "out.txt")
    assert training.wait(20) == 0


def test_where_one_ends_badly_the_others_are_asked_to_end(tmp_path: Path) -> None:
    def work() -> int:
        if os.environ["RANK"] == "1":
            return 7
        time.sleep(60)
        return 0

    training = start_together(work, 2, tmp_path / "out.txt")
    assert training.wait(20) in (7, -signal.SIGTERM)
    assert [each.code for each in training.ranks] == [-signal.SIGTERM, 7]


def test_they_run_until_they_are_killed(tmp_path: Path) -> None:
    training = start_together(lambda: time.sleep(60) or 0, 2, tmp_path / "out.txt")
    assert training.wait(0.1) is None
    training.kill()
    assert [each.code for each in training.ranks] == [-signal.SIGKILL] * 2
