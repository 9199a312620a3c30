from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cnnlab.selftest import artefacts as module
from cnnlab.selftest.artefacts import ARTEFACTS, Artefact, artefacts, run_artefacts
from cnnlab.selftest.payloads import pickles


def test_there_are_more_than_sixty_each_with_its_name() -> None:
    names = [(each.kind, each.name) for each in artefacts()]
    assert len(set(names)) == len(names) == ARTEFACTS.cases
    assert ARTEFACTS.cases >= 60


def tried(artefact: Artefact, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(module, "artefacts", lambda: [artefact])
    (outcome,) = run_artefacts([0], folder)
    return "" if outcome.passed else outcome.seen


def test_a_reader_that_runs_the_file_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    hostile = Artefact(
        "pickle for weights", "x", "x", lambda command: command.encode(), lambda path: os.system(path.read_text())
    )
    assert "the canary is there" in tried(hostile, tmp_path, monkeypatch)


def test_a_reader_that_lets_pass_and_one_that_fails_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = artefacts()[0]
    assert first.make("x") != pickles("x")
    assert tried(first, tmp_path, monkeypatch) == ""
    assert "it was read" in tried(replace(first, read=lambda path: path), tmp_path, monkeypatch)
    assert "KeyError" in tried(replace(first, read=lambda path: {}[path]), tmp_path, monkeypatch)


def test_a_page_with_markup_and_a_table_with_a_formula_are_seen() -> None:
    page = module._page_of
    assert page is not None
    sound = "<p>" * 30 + "<style></style>"
    assert module._inert(sound)
    for hostile in ("<script>1</script>", "<p onclick=x>", "<a href=javascript:x>", "<style></style>", "<img src=//x>"):
        assert not module._inert(sound + hostile)
    assert module._no_formula(b"path\r\n'=1\r\n")
    assert not module._no_formula(b"path\r\n=1\r\n")
