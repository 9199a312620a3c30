"""Processes that train together, forked from this one: what torchrun does, without five imports of torch a start."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnlab.selftest.isolate import POLL_SECONDS, Child, fork

GRACE_SECONDS = 30.0  # torchrun's, between its SIGTERM and its SIGKILL


@dataclass
class Together:
    """One process or several, by rank; where one of them ends badly the others are ended as torchrun does."""

    ranks: tuple[Child, ...]

    def wait(self, seconds: float) -> int | None:
        """The first exit code that is not 0, else 0, once all have ended; None while any runs after `seconds`."""
        until, failed = time.monotonic() + seconds, 0.0
        while None in [each.wait(0) for each in self.ranks]:
            now = time.monotonic()
            if any(each.code for each in self.ranks):
                failed = self._end_the_others(failed, now)
            elif now >= until:
                return None
            time.sleep(POLL_SECONDS)
        return next((each.code for each in self.ranks if each.code), 0)

    def _end_the_others(self, failed: float, now: float) -> float:
        """SIGTERM at first, SIGKILL when that did not help; gives when the first was sent."""
        if not failed:
            self._send_to_living(signal.SIGTERM)
            return now
        if now - failed > GRACE_SECONDS:
            self._send_to_living(signal.SIGKILL)
        return failed

    def _send_to_living(self, number: signal.Signals) -> None:
        for each in self.ranks:
            each.send(number)

    def kill(self) -> None:
        """End all of them and what they started."""
        for each in self.ranks:
            each.kill()


def start_together(work: Callable[[], int], processes: int, output: Path) -> Together:
    """Run `work` in so many forks, each with torchrun's environment where there are several.

    Standard output and error of all go to the file `output`.
    """
    if processes == 1:
        return Together((fork(work, output),))
    port = _free_port()

    def as_rank(rank: int) -> Callable[[], int]:
        def run() -> int:
            os.environ.update(_environment(rank, processes, port))
            return work()

        return run

    return Together(tuple(fork(as_rank(rank), output) for rank in range(processes)))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port: int = found.getsockname()[1]
    return port


def _environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun tells a process."""
    return {
        "TORCHELASTIC_RUN_ID": "selftest",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
    }
