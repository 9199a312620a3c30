from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cnnlab.selftest.isolate import fork, in_turn

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's account of a process")


def misbehave(case: int) -> str:
    if case == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if case == 3:
        time.sleep(60)
    if case == 5:
        raise ValueError("five")
    return f"case {case}"


def test_crashes_and_hangs_end_their_own_case_alone() -> None:
    began = time.monotonic()
    found = list(in_turn(misbehave, range(7), seconds=2, megabytes=500))
    assert [each.case for each in found] == list(range(7))
    assert [each.fault for each in found] == [None, "crashed", None, "hung", None, "raised", None]
    assert [each.value for each in found if each.fault is None] == ["case 0", "case 2", "case 4", "case 6"]
    assert found[1].value == f"the process ended with {-signal.SIGSEGV}"
    assert (found[3].value, found[5].value) == ("no end after 2 s", "ValueError: five")
    assert time.monotonic() - began < 30


@linux
def test_memory_is_measured_for_each_case_and_bounded() -> None:
    def take(case: int) -> int:
        return int(np.ones((1, 60, 4_000)[case] * 1_000_000, np.uint8).sum())

    small, large, beyond = in_turn(take, range(3), seconds=30, megabytes=300)
    assert small.peak_megabytes < 30 < large.peak_megabytes < 150
    assert beyond.fault == "raised"
    assert "Unable to allocate" in beyond.value


def test_what_a_case_leaves_in_a_circle_is_gone_before_the_next() -> None:
    def leave(case: int) -> int:
        circle: list[object] = [np.ones(40_000_000, np.uint8)]
        circle.append(circle)
        return case

    found = list(in_turn(leave, range(20), seconds=30, megabytes=300))
    assert [each.fault for each in found] == [None] * 20


def test_no_process_is_left_when_nobody_asks_for_the_rest() -> None:
    pids = in_turn(lambda _: os.getpid(), range(1_000_000), seconds=5, megabytes=100)
    pid = next(pids).value
    pids.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_fork_writes_where_it_is_told_and_ends_with_its_code(tmp_path: Path) -> None:
    def work() -> int:
        print("said")
        return 7

    child = fork(work, tmp_path / "out")
    assert child.wait(20) == 7
    assert (tmp_path / "out").read_text() == "said\n"
    failed = fork(lambda: 1 // 0, tmp_path / "failed")
    assert failed.wait(20) == 1
    assert "ZeroDivisionError" in (tmp_path / "failed").read_text()


def test_a_fork_can_be_sent_signals_and_killed_with_what_it_started() -> None:
    child = fork(lambda: time.sleep(60) or 0)
    assert child.wait(0.01) is None
    child.send(signal.SIGTERM)
    assert child.wait(20) == -signal.SIGTERM
    child.send(signal.SIGTERM)  # it is gone: nothing happens
    child.kill()
    assert child.code == -signal.SIGTERM
