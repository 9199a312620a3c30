"""Ways of doing the same thing take turns, each in a process of its own, so that what else the machine does hits all.

A way's process keeps what it has set up, its memory and its threads' caches to itself, and rests while others run.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection

from cnnlab.errors import CnnlabError

Work = Callable[[int], float]
"""Does so much of it (steps, or images a batch) and says what was measured, mostly seconds."""

Way = Callable[[], AbstractContextManager[Work]]
"""Prepares one way of doing it for as long as the context lasts; can be pickled."""

LEAVE_SECONDS = 60.0  # for a process to end by itself


def take_turns(
    works: Mapping[str, Callable[[], float]], rounds: int, *, rest_seconds: float = 0.0
) -> dict[str, list[float]]:
    """What each measured in every round; a round before them warms up and is left out.

    Every other round goes the other way about. `rest_seconds` before each turn let the last one's helpers come to rest.
    """
    values: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name in list(works)[:: 1 if number % 2 else -1]:
            time.sleep(rest_seconds)
            value = works[name]()
            if number:
                values[name].append(value)
    return values


@contextmanager
def own_processes(ways: Mapping[str, Way], threads: int | None = None) -> Iterator[dict[str, Work]]:
    """Each way in a new process of its own with so many CPU threads (None: torch's choice), as work to be asked for.

    Raises:
        CnnlabError: a way failed or its process died; names it.
    """
    context = multiprocessing.get_context("spawn")
    pipes = {name: context.Pipe() for name in ways}
    processes = [context.Process(target=_serve, args=(way, pipes[name][1], threads)) for name, way in ways.items()]
    for process in processes:
        process.start()
    for _, there in pipes.values():
        there.close()
    try:
        yield {name: partial(_ask, name, here) for name, (here, _) in pipes.items()}
    finally:
        for here, _ in pipes.values():
            here.close()
        for process in processes:
            process.join(LEAVE_SECONDS)
            process.kill()


def _serve(way: Way, line: Connection, threads: int | None) -> None:
    """Do as much work as the other end asks for, until it is gone."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with way() as work:
            while True:
                line.send(work(line.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        with suppress(OSError):  # nobody listens any more
            line.send(f"{type(error).__name__}: {error}")


def _ask(name: str, line: Connection, amount: int) -> float:
    try:
        line.send(amount)
        answer: float | str = line.recv()
    except (EOFError, OSError):
        raise CnnlabError(f"the process that measures {name!r} died; is there enough memory?") from None
    if isinstance(answer, str):
        raise CnnlabError(f"measuring {name!r} failed: {answer}")
    return answer


def timed(work: Callable[[], object]) -> float:
    """The seconds that one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
