"""Processes that decode for a training, killed, stopped or crashed: others take their place, and nothing else changes.

The training is a fork of this process; a thread of it sends the signal to one of the processes that decode, and looks
for how long no step is taken.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlab.errors import CnnlabError
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.isolate import fork
from cnnlab.selftest.kills import Way, same_end, settings_of
from cnnlab.train.run import RESULT, train_run
from cnnlab.train.watch import Moment, Watch

CASES = 60
STEPS = 60
LONGEST_SECONDS = 300.0
FAULTS = {signal.SIGKILL: "killed", signal.SIGSEGV: "crashed", signal.SIGSTOP: "hung"}
GOAL = Goal(
    "a process that decodes is replaced within 30 s, and weights and records end as those of an undisturbed run",
    {"standstill_seconds": 30.0},
)


@dataclass
class _Stepping(Watch):
    """Notes the longest time without a step, and whether steps were taken at all."""

    steps: int = 0
    last: float = 0.0
    longest: float = 0.0

    def stepped(self, moment: Moment) -> None:
        """See `Watch`."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.last) if self.steps else 0.0
        self.steps, self.last = self.steps + 1, now


def way_of(case: int) -> Way:
    """Two workers or four, in a run of one process."""
    return Way("resnet_matlab", 1, 2 + 2 * (case % 2))


def _train(way: Way, run: Path, work: Path, fault: signal.Signals | None, step: int) -> int:
    """Train in this process, a fork; one of its workers gets the signal once `step` steps are taken."""
    watch = _Stepping()
    if fault is not None:
        threading.Thread(target=_strike, args=(watch, fault, step), daemon=True).start()
    try:
        train_run(
            replace(way.recipe, steps=STEPS), replace(settings_of(way, work), save_seconds=60.0), run, watch=watch
        )
    except CnnlabError as error:
        print(error, flush=True)
        return error.exit_code
    run.with_suffix(".standstill").write_text(str(watch.longest))
    return 0


def _strike(watch: _Stepping, fault: signal.Signals, step: int) -> None:
    while watch.steps < step:
        time.sleep(0.001)
    workers = [each.pid for each in multiprocessing.active_children() if each.name == "decoder" and each.pid]
    if workers:
        os.kill(random.Random(step).choice(workers), fault)
        print(f"{fault.name} after {watch.steps} steps", flush=True)


def _finish(way: Way, run: Path, work: Path, fault: signal.Signals | None = None, step: int = 0) -> str:
    """Train to the end in a fork; what it printed.

    Raises:
        CnnlabError: it ended otherwise.
    """
    shutil.rmtree(run, ignore_errors=True)
    output = run.with_suffix(".txt")
    output.unlink(missing_ok=True)
    child = fork(lambda: _train(way, run, work, fault, step), output)
    code = child.wait(LONGEST_SECONDS)
    child.kill()
    said = output.read_text()
    if code != 0:
        raise CnnlabError(f"{run.name} ended with {code}: {said[-300:]}")
    return said


def _alone(way: Way, work: Path) -> Path:
    """The training that nobody disturbs, without processes that decode: the same images in the same order."""
    run = work / "alone"
    if not (run / RESULT).is_file():
        _finish(replace(way, workers=0), run, work)
    return run


def _case(case: int, work: Path) -> Outcome:
    way, draw, started = way_of(case), random.Random(case), time.monotonic()
    fault, run, step = tuple(FAULTS)[case % len(FAULTS)], work / "disturbed", draw.randrange(1, STEPS - 5)
    standstill = 0.0
    try:
        alone = _alone(way, work)
        said = _finish(way, run, work, fault, step)
        standstill = float(run.with_suffix(".standstill").read_text())
        differs = same_end(alone, run) or (None if fault.name in said else "no worker was there to be hit")
    except CnnlabError as error:
        said, differs = str(error), "it failed"
    seen = f"{way.workers} workers, one {FAULTS[fault]} after {step} steps; {standstill:.1f} s without a step"
    return Outcome(
        case,
        f"{fault.name} to a worker",
        "equal" if differs is None else "DIFFERS",
        differs is None,
        seen if differs is None else f"{seen}: {differs}; {said[-200:]}",
        time.monotonic() - started,
        {"standstill_seconds": standstill},
    )


def hit_workers(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    """Hit one worker of a training for each of `cases`."""
    for case in cases:
        yield _case(case, work)


WORKERS = Part("workers", GOAL, CASES, range(2), hit_workers)
