from __future__ import annotations

import threading
import time

from cnnlab.train import pulse
from cnnlab.train.pulse import Pulse, describe, judge


class Blackboard:
    """What torch's stores do, in one process."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def set(self, key: str, value: str) -> None:
        self.written[key] = value.encode()

    def get(self, key: str) -> bytes:
        return self.written[key]

    def check(self, keys: list[str]) -> bool:
        return all(key in self.written for key in keys)


def test_a_silent_rank_is_told_from_one_that_is_behind() -> None:
    before = {0: "4 7", 1: "9 7", 2: "3 6"}
    assert judge(before, {0: "9 7", 1: "9 7", 2: "8 6"}, own_rank=0, own_step=7) == ([1], "silent")
    assert judge(before, {0: "9 7", 1: "14 7", 2: "8 6"}, own_rank=0, own_step=7) == ([2], "behind")
    assert judge(before, {0: "9 7", 1: "14 7", 2: "8 7"}, own_rank=0, own_step=7) == ([], "behind")
    assert judge({}, {0: "1 0"}, own_rank=0, own_step=0) == ([], "behind")


def test_a_rank_that_stops_its_signs_is_found_and_the_finding_is_shared() -> None:
    board = Blackboard()
    pulses = [Pulse(board, rank, 3, silence_seconds=60) for rank in range(3)]
    for each in pulses:
        each.start()
    pulses[2].stop()
    assert pulses[0].who_is_lost() == ([2], "silent")
    pulses[0].stop()  # it leaves with its error; who looks only now must not take it for lost
    assert pulses[1].who_is_lost() == ([2], "silent")
    pulses[1].stop()


def test_a_process_that_waits_in_vain_is_ended_by_its_thread() -> None:
    board, left = Blackboard(), threading.Event()
    named: list[int] = []

    def leave(silent: object) -> None:
        named.extend(silent)  # type: ignore[call-overload]
        left.set()

    other = Pulse(board, 1, 2, silence_seconds=60)
    other.start()
    waiting = Pulse(board, 0, 2, silence_seconds=1.2, leave=leave)
    waiting.start()
    time.sleep(4 * pulse.BEAT_SECONDS)
    assert not left.is_set()  # as long as the other lives
    other.stop()
    assert left.wait(20)
    assert named == [1]
    waiting.stop()


def test_nobody_wonders_about_a_process_that_has_finished() -> None:
    board, left = Blackboard(), threading.Event()
    other = Pulse(board, 1, 2, silence_seconds=60)
    other.start()
    waiting = Pulse(board, 0, 2, silence_seconds=1.0, leave=lambda silent: left.set())
    waiting.start()
    other.stop(finished=True)
    assert not left.wait(5 * pulse.BEAT_SECONDS)
    assert waiting.who_is_lost() == ([], "behind")
    waiting.stop()


def test_people_are_told_who_and_what_to_do() -> None:
    assert describe([3], "silent").startswith("rank 3 gave no sign of life")
    assert "--rank-seconds" in describe([1, 2], "behind")
    assert "ranks 1, 2 kept" in describe([1, 2], "behind")
    assert "network" in describe([], "behind")
