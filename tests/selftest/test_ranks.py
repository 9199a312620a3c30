"""That one of two is killed and both go on is shown in tests/faults/test_ranks.py."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from cnnlab.errors import CnnlabError
from cnnlab.selftest.isolate import fork
from cnnlab.selftest.ranks import RANKS, alive, members, note, weights


def test_the_campaign_kills_fifty() -> None:
    assert RANKS.cases == 50
    assert RANKS.goal.limits == {"noticed_seconds": 15.0}
    assert set(RANKS.quick) <= set(range(RANKS.cases))


def test_processes_are_found_by_what_they_note(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for rank, process in enumerate((11, 12)):
        note(run, 0, rank).parent.mkdir(exist_ok=True)
        note(run, 0, rank).write_text(str(process))
    note(run, 1, 0).write_text("99")
    assert members(run, 2) == [11, 12]


def test_a_process_lives_until_it_is_waited_for() -> None:
    child = fork(lambda: signal.pause() or 0)
    assert alive(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(20)
    assert not alive(child.pid)


def test_a_run_without_result_has_no_weights_and_says_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("the disk is full")
    with pytest.raises(CnnlabError, match="the disk is full"):
        weights(tmp_path / "run")
