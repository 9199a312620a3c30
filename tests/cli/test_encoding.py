from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlab.cli import encoding

LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"},
]


def cnnlab(folder: Path, locale: dict[str, str], *arguments: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable.encode(), b"-m", b"cnnlab", *arguments]
    return subprocess.run(command, cwd=folder, env={**os.environ, **locale}, capture_output=True, check=False)


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_names_in_any_script_are_told_in_any_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    done = cnnlab(tmp_path, locale, b"recipes", "\u732b".encode() + b"\xe9\x1b[31m")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr
    assert "猫".encode() in done.stderr or b"\\u732b" in done.stderr or "猫".encode("ascii", "replace") in done.stderr


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_names_are_read_as_utf8_in_any_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    (tmp_path / "猫").mkdir()
    code = "import os; from cnnlab.cli.encoding import use_utf8; use_utf8(); print(ascii(os.listdir()), chr(0x732B))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, **locale}, capture_output=True, check=True
    )
    assert done.stdout.startswith(rb"['\u732b'] ")
    assert done.stderr == b""


def test_a_process_that_cannot_be_helped_is_begun_again_once_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments))
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    encoding.use_utf8()
    encoding.use_utf8()
    assert len(started) == 1
    assert started[0][0] == sys.executable
