from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch

from cnnlab.bench.turns import Work, own_processes, take_turns, timed
from cnnlab.errors import CnnlabError


@contextmanager
def adding(number: int, left: Path) -> Iterator[Work]:
    """Adds `number`, counts what was asked for, and leaves a file when its context ends."""
    try:
        yield lambda amount: float(number + amount)
    finally:
        left.write_text(str(os.getpid()))


@contextmanager
def threads_of(unused: str) -> Iterator[Work]:
    yield lambda amount: float(torch.get_num_threads())


@contextmanager
def failing(unused: str) -> Iterator[Work]:
    yield lambda amount: 1 / (amount - amount)


@contextmanager
def dying(unused: str) -> Iterator[Work]:
    yield lambda amount: os._exit(3)


def test_turns_go_there_and_back_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def work(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = take_turns({name: partial(work, name) for name in "ab"}, rounds=2)
    assert "".join(order) == "baabba"
    assert found == {"a": [3.0, 6.0], "b": [4.0, 5.0]}


def test_each_way_has_a_process_of_its_own_which_ends_by_itself(tmp_path: Path) -> None:
    left = [tmp_path / "one", tmp_path / "ten"]
    ways = {"one": partial(adding, 1, left[0]), "ten": partial(adding, 10, left[1])}
    with own_processes(ways) as works:
        assert works["ten"](5) == 15.0
        assert works["one"](5) == 6.0
        assert works["one"](7) == 8.0
    pids = {path.read_text() for path in left}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_the_threads_are_as_asked_for_and_what_goes_wrong_is_named() -> None:
    ways = {"counts": partial(threads_of, ""), "fails": partial(failing, ""), "dies": partial(dying, "")}
    with own_processes(ways, threads=2) as works:
        assert works["counts"](0) == 2.0
        with pytest.raises(CnnlabError, match="measuring 'fails' failed: ZeroDivisionError"):
            works["fails"](1)
        with pytest.raises(CnnlabError, match="the process that measures 'dies' died"):
            works["dies"](1)


def test_what_is_timed_is_called_once() -> None:
    called: list[int] = []
    assert timed(lambda: called.append(1)) >= 0
    assert called == [1]
