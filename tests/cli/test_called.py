from __future__ import annotations

import sys

import pytest

from cnnlab.cli.called import as_called

TEXT = "next: cnnlab eval 'my run'; tensorboard --logdir runs; what cnnlab survives is in runs/cnnlab train"


@pytest.mark.parametrize(
    ("variable", "started", "shown"),
    [
        (None, "/usr/bin/cnnlab", TEXT),
        ("1", "/usr/bin/cnnlab", TEXT.replace("cnnlab eval", "uv run cnnlab eval").replace("tens", "uv run tens")),
        (None, "/lib/cnnlab/__main__.py", TEXT.replace("cnnlab eval", "python -m cnnlab eval")),
    ],
)
def test_a_command_is_shown_as_it_was_called(
    variable: str | None, started: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", variable)
    monkeypatch.setattr(sys, "argv", [started])
    assert as_called(TEXT) == shown
