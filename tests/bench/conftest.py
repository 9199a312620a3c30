"""Ways of measuring, in this process: what they measure is checked here, and how they take turns in test_turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType

import pytest

from cnnlab.bench import training
from cnnlab.bench.turns import Way, Work

Here = Callable[[ModuleType], None]


@contextmanager
def in_this_process(ways: Mapping[str, Way], threads: int | None = None) -> Iterator[dict[str, Work]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(way()) for name, way in ways.items()}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Let a row measure in this process, which keeps its own way with memory."""
    monkeypatch.setattr(training, "keep_freed_memory", lambda: None)

    def use(row: ModuleType) -> None:
        monkeypatch.setattr(row, "own_processes", in_this_process)

    return use
