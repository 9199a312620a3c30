"""Processes that train together, one of them killed: the others must notice, and all go on as if nothing had been.

Each case is a run of four processes under torchrun's own agent, which forks them from a process that holds nothing but
the imported modules, instead of starting Python four times; one is killed at a random moment, and the agent starts all
anew.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnnlab.errors import CnnlabError
from cnnlab.recipes.recipe import Flip, OneCycle, PadCrop, Recipe, Sgd
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.isolate import Child, fork
from cnnlab.train.distributed import world_from_environment
from cnnlab.train.run import RESULT, Settings, train_run

PROCESSES = 4
KILLS = 50
STEPS = 40
LONGEST_SECONDS = 180.0
POLL_SECONDS = 0.01
RECIPE = Recipe(
    name="selftest/ranks",
    paper="none",
    model="lenet5_modern",
    data="synthetic",
    batch_size=16,
    steps=STEPS,
    optimizer=Sgd(lr=0.02, momentum=0.9),
    schedule=OneCycle(peak_at=0.2),
    augment=(PadCrop(pixels=2), Flip()),
    val_images=64,
)
SETTINGS = Settings(data="synthetic", device="cpu", save_seconds=0.1, train_images=320)
GOAL = Goal(
    "a killed process is noticed within 15 s, all start anew, and the weights end as those of an undisturbed run",
    {"noticed_seconds": 15.0},
)


def start(run: Path, processes: int = PROCESSES, settings: Settings = SETTINGS) -> Child:
    """Begin a run of several processes under torchrun's agent, which restarts them three times at most."""
    return fork(lambda: _agent(run, processes, settings), run.with_suffix(".txt"))


def _agent(run: Path, processes: int, settings: Settings) -> int:
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # Not forks of the agent itself: its threads may hold a lock at that moment, and one restart in ten then hung.
    multiprocessing.set_forkserver_preload([__name__])
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=run.name,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=3,
        monitor_interval=0.1,
        start_method="forkserver",
    )
    elastic_launch(config, _train)(run, settings)
    return 0


def _train(run: Path, settings: Settings) -> None:
    """What each process does: begin, or after a restart go on."""
    world = world_from_environment()
    noted = note(run, world.restarts, world.rank)
    noted.parent.mkdir(exist_ok=True)
    noted.write_text(str(os.getpid()))
    try:
        train_run(RECIPE, settings, run)
    except CnnlabError as error:
        print(error, flush=True)
        sys.exit(error.exit_code)


def note(run: Path, restarts: int, rank: int) -> Path:
    """Where a process notes its number."""
    return run.with_suffix(".processes") / f"{restarts}-{rank}"


def members(run: Path, processes: int = PROCESSES) -> list[int]:
    """The process numbers of a run's first start, by rank, once all are there.

    Raises:
        CnnlabError: they do not come.
    """
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        texts = [each.read_text() for rank in range(processes) if (each := note(run, 0, rank)).is_file()]
        if len(texts) == processes and all(texts):
            return [int(each) for each in texts]
        time.sleep(POLL_SECONDS)
    raise CnnlabError(f"the processes of {run.name} did not start: {run.with_suffix('.txt').read_text()[-300:]}")


def kill_one(run: Path, rank: int, seconds: float, processes: int = PROCESSES, number: int = signal.SIGKILL) -> float:
    """Send a signal to a rank so many seconds after all have started; gives how long the others lived on.

    Raises:
        CnnlabError: the process had ended before, or the others never do.
    """
    started = members(run, processes)
    time.sleep(seconds)
    if not alive(started[rank]):
        raise CnnlabError(f"rank {rank} of {run.name} had ended before it could be killed")
    os.kill(started[rank], number)
    began = time.monotonic()
    others = [each for place, each in enumerate(started) if place != rank]
    while any(map(alive, others)):
        if time.monotonic() - began > LONGEST_SECONDS:
            raise CnnlabError(f"the others of {run.name} never noticed that rank {rank} was gone")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def alive(process: int) -> bool:
    """Whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def weights(run: Path) -> str:
    """The SHA-256 of a finished run's weights.

    Raises:
        CnnlabError: it is not finished.
    """
    if not (run / RESULT).is_file():
        raise CnnlabError(f"{run.name} did not come to its end: {run.with_suffix('.txt').read_text()[-300:]}")
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def _undisturbed(work: Path) -> tuple[str, float]:
    """The weights of a run that nobody disturbs, made once, and how long it takes from its start."""
    run = work / "undisturbed"
    if not (run / RESULT).is_file():
        for each in (run, run.with_suffix(".processes")):
            shutil.rmtree(each, ignore_errors=True)
        child = start(run)
        child.wait(LONGEST_SECONDS)
        child.kill()
    began = max(note(run, 0, rank).stat().st_mtime for rank in range(PROCESSES))
    return weights(run), (run / RESULT).stat().st_mtime - began


def _kill_in_one(case: int, work: Path) -> Outcome:
    whole, span = _undisturbed(work)
    draw, started = random.Random(case), time.monotonic()
    rank, run = draw.randrange(PROCESSES), work / f"case-{case}"
    for each in (run, run.with_suffix(".processes")):
        shutil.rmtree(each, ignore_errors=True)
    child, noticed = start(run), 0.0
    try:
        noticed = kill_one(run, rank, draw.uniform(0, 0.7 * span))
        child.wait(LONGEST_SECONDS)
        same = weights(run) == whole
        ended, seen = ("recovered", "went on") if same else ("other weights", "went on, and ended otherwise")
    except CnnlabError as error:
        ended, seen = "lost", str(error)
    finally:
        child.kill()
    seen = f"rank {rank} of {PROCESSES} killed; the others noticed within {noticed:.1f} s; {seen}"
    figures = {"noticed_seconds": noticed}
    return Outcome(case, "SIGKILL", ended, ended == "recovered", seen, time.monotonic() - started, figures)


def kill_ranks(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    """Kill one process of a run for each of `cases`."""
    for case in cases:
        yield _kill_in_one(case, work)


RANKS = Part("ranks", GOAL, KILLS, range(2), kill_ranks)
