"""Processes forked from this one, which has imported torch already: watched, bounded, killed when they hang."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import IO, Any

from cnnlab.errors import UsageError
from cnnlab.models.device import return_freed_memory

POLL_SECONDS = 0.005


@dataclass
class Child:
    """A forked process, the head of a group of its own, so that what it starts ends with it."""

    pid: int
    code: int | None = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        if self.wait(0) is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Its exit code, -n when signal n ended it; None when it still runs after `seconds`."""
        until = time.monotonic() + seconds
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                return None
            else:
                time.sleep(POLL_SECONDS)
        return self.code

    def kill(self) -> None:
        """End the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(60)


def fork(work: Callable[[], int], output: Path | None = None) -> Child:
    """Run `work` in a fork of this process; its result is the exit code, 1 with a traceback for an exception.

    Standard output and error go to the file `output` (None: nowhere). Whoever forks waits for the child, or kills it.

    Raises:
        UsageError: this system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("this system cannot fork processes, which the self-test needs; run it on Linux or macOS")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_work(work, output))
    with suppress(OSError):  # also here, so that the group exists whoever comes first
        os.setpgid(pid, pid)
    return Child(pid)


def _work(work: Callable[[], int], output: Path | None) -> int:
    """What the forked process does, until its exit code is known."""
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        faulthandler.disable()  # a crash is what some cases are for
        _forget_forkserver()
        target = os.open(output or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
        return code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        return 1


def _forget_forkserver() -> None:
    """Let `multiprocessing` start its server of forks anew here: it takes the parent's for a child of this process."""
    server = vars(forkserver)["_forkserver"]
    server._forkserver_pid = server._forkserver_address = None


@dataclass(frozen=True)
class Ended:
    """How one case ended in its process.

    `fault` is None where the function returned `value`; else "raised", "crashed" or "hung", and `value` says how.
    `peak_megabytes` is how much the process grew beyond what it held before the case; 0 where it could not say.
    """

    case: int
    value: Any
    fault: str | None
    seconds: float
    peak_megabytes: float


def in_turn(
    function: Callable[[int], Any],
    cases: Sequence[int],
    *,
    seconds: float,
    megabytes: float,
    output: Path | None = None,
) -> Iterator[Ended]:
    """Call `function` for each case in a forked process; where that crashes or hangs, a new one takes the next case.

    Args:
        function: gives a value that JSON can write.
        cases: their numbers.
        seconds: the longest a case may take before its process is killed.
        megabytes: of address space that the process may take on beyond what it has when forked (Linux).
        output: where standard output and error of the processes go.
    """
    place = 0
    while place < len(cases):
        for ended in _one_child(function, cases[place:], seconds, megabytes, output):
            place += 1
            yield ended


def _one_child(
    function: Callable[[int], Any], cases: Sequence[int], seconds: float, megabytes: float, output: Path | None
) -> Iterator[Ended]:
    """The outcomes of one process, up to the case that ends it."""
    reading, writing = os.pipe()
    child = fork(lambda: _answer(function, cases, writing, megabytes), output)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            for case in cases:
                started = time.monotonic()
                line = _line(pipe, seconds)
                if line.endswith(b"\n"):
                    yield Ended(case, *json.loads(line))
                    continue
                spent = time.monotonic() - started
                code = child.wait(1.0) if spent < seconds else None
                hung = code is None
                said = f"no end after {seconds:g} s" if hung else f"the process ended with {code}"
                yield Ended(case, said, "hung" if hung else "crashed", spent, 0.0)
                return
    finally:
        child.kill()


def _line(pipe: IO[bytes], seconds: float) -> bytes:
    """The next line of a pipe; what there is of it when `seconds` are over or the other end is closed."""
    until, found = time.monotonic() + seconds, b""
    while not found.endswith(b"\n") and (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([pipe], [], [], left)
        byte = os.read(pipe.fileno(), 1) if ready else b""
        if not byte:
            break
        found += byte
    return found


def _answer(function: Callable[[int], Any], cases: Sequence[int], pipe: int, megabytes: float) -> int:
    _limit_memory(megabytes)
    gc.freeze()  # what was there before the first case need not be looked through after each
    for case in cases:
        before, started = _restart_peak(), time.monotonic()
        try:
            value, fault = function(case), None
        except Exception as error:
            value, fault = f"{type(error).__name__}: {error}", "raised"
        spent = time.monotonic() - started
        line = json.dumps([value, fault, spent, max(_memory("VmHWM") - before, 0.0)])
        os.write(pipe, line.encode() + b"\n")
    return 0


def _limit_memory(megabytes: float) -> None:
    """Let this process have only so much more address space than now."""
    if now := _memory("VmSize"):
        import resource  # not on every system

        most = int((now + megabytes) * 1e6)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _restart_peak() -> float:
    """Begin the peak of this process's memory anew; returns what it holds now, in megabytes."""
    gc.collect()  # an error holds on to all that its traceback names, threads and their address space among it
    return_freed_memory()  # else what an earlier case has left serves this one unseen
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    """A line of Linux's account of this process, in megabytes; 0 on other systems."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return float(status.partition(f"\n{name}:")[2].split()[0]) * 1.024e-3
