"""Signs of life: each process gives one twice a second, so that the others can name the one that is gone or hangs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

BEAT_SECONDS = 0.5
SILENT_BEATS = 5  # missed one after the other, of a process that is gone or stopped
FINISHED = "finished"  # the last sign of a process that ends as it should
LOST = "lost"  # where the first process to notice says who is lost, before it leaves itself


class Board(Protocol):
    """Where all processes write and read; torch's stores are such boards."""

    def set(self, key: str, value: str) -> None:
        """Write `value` under `key`."""

    def get(self, key: str) -> bytes:
        """Read what is under `key`."""

    def check(self, keys: list[str]) -> bool:
        """Whether all of these were written."""


class Pulse:
    """This process's signs of life on a board, with how far it is, and what the others' say of them.

    They come from a thread of their own, so a process that is busy gives them, and one that is dead or stopped does
    not. With `silence_seconds` the thread itself ends this process once another has been silent for so long: it may
    wait for that one in a call that nothing else interrupts.
    """

    def __init__(
        self,
        board: Board,
        rank: int,
        size: int,
        silence_seconds: float,
        leave: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        self.step = 0
        self._board, self._rank, self._size = board, rank, size
        self._silence_seconds, self._leave = silence_seconds, leave or leave_at_once
        self._beat = 0
        self._heard: dict[int, tuple[str, float]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to give signs of life, the first one at once."""
        self._give()
        self._thread.start()

    def stop(self, *, finished: bool = False) -> None:
        """Give no more signs, of which nobody is to wonder if all is `finished`; waits until the thread has ended."""
        self._ended.set()
        self._thread.join()
        if finished:
            with suppress(RuntimeError):  # the board may be gone already
                self._board.set(f"pulse{self._rank}", FINISHED)

    def who_is_lost(self) -> tuple[list[int], str]:
        """Who keeps the others waiting: ranks that are gone or stopped, else those behind; and which of the two.

        Takes as long as five signs of life, unless another process has found out already.
        """
        if self._board.check([LOST]):
            listed, _, word = self._board.get(LOST).decode().partition(" ")
            return [int(each) for each in listed.split(",")], word
        before = self._read()
        time.sleep(SILENT_BEATS * BEAT_SECONDS)
        ranks, what = judge(before, self._read(), self._rank, self.step)
        if ranks:
            self._board.set(LOST, f"{','.join(map(str, ranks))} {what}")
        return ranks, what

    def _run(self) -> None:
        try:
            while not self._ended.wait(BEAT_SECONDS):
                self._give()
                silent = self._silent()
                if silent:
                    self._leave(silent)
                    return
        except RuntimeError:  # the board is gone, and with it the launcher, which ends us
            return

    def _give(self) -> None:
        self._beat += 1
        self._board.set(f"pulse{self._rank}", f"{self._beat} {self.step}")

    def _read(self) -> dict[int, str]:
        keys = {rank: f"pulse{rank}" for rank in range(self._size)}
        return {rank: self._board.get(key).decode() for rank, key in keys.items() if self._board.check([key])}

    def _silent(self) -> list[int]:
        """Those whose last sign of life is too long ago, by this process's own clock."""
        now = time.monotonic()
        for rank, sign in self._read().items():
            if sign == FINISHED or sign != self._heard.get(rank, ("", 0.0))[0]:
                self._heard[rank] = sign, now
        return [rank for rank, (_, since) in self._heard.items() if now - since > self._silence_seconds]


def judge(before: Mapping[int, str], after: Mapping[int, str], own_rank: int, own_step: int) -> tuple[list[int], str]:
    """Who is lost by two readings of the signs of life, and whether they are "silent" or "behind"."""
    others = [rank for rank, sign in after.items() if rank != own_rank and sign != FINISHED]
    silent = [rank for rank in others if before.get(rank) == after[rank]]
    if silent:
        return silent, "silent"
    return [rank for rank in others if int(after[rank].split()[1]) < own_step], "behind"


def leave_at_once(silent: Sequence[int]) -> None:
    """End this process, naming those it waits for in vain."""
    print(f"cnnlab: {describe(silent, 'silent')}", file=sys.stderr, flush=True)
    os._exit(1)


def describe(ranks: Sequence[int], what: str) -> str:
    """A sentence for people about lost ranks, and what to do."""
    if not ranks:
        return (
            "the connection to another process is lost, and all still give signs of life; the network may be at fault"
        )
    names = f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"
    if what == "silent":
        return (
            f"{names} gave no sign of life: killed, stopped, or out of reach; with --max-restarts torchrun starts all "
            "anew, and they go on from the newest checkpoint"
        )
    return (
        f"{names} kept the others waiting for too long and still live{'s' if len(ranks) == 1 else ''}: look for a "
        "slow or stuck disk there, or give more time with --rank-seconds"
    )
