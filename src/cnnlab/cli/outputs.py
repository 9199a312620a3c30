"""Files that commands write: checked before the work, and a failure to write one loses no figure."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cnnlab.cli.failures import complain, error_object
from cnnlab.errors import UsageError, reason_of

PAGE = (".html", ".htm")
PICTURE = (".png", ".svg", ".pdf")
FAILED = 1  # the exit code where figures were measured and told, and a file of them could not be written


def require_output(flag: str, path: Path | None, endings: Sequence[str]) -> None:
    """Refuse a file that could not be written in the end; one in a folder that is still to be made can.

    Raises:
        UsageError: another ending than `endings` (capitals are accepted), a folder, or no permission to write there.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        *first, last = endings
        kinds = f"{', '.join(first)} or {last}" if first else last
        raise UsageError(f"{flag} {path}: written as {kinds}; give a name that ends so")
    try:
        if path.is_dir():
            raise UsageError(f"{flag} {path} is a folder; give a file in it, such as {path / f'name{endings[0]}'}")
        _require_place(flag, path, path.parent)
    except OSError as error:
        raise UsageError(f"{flag} {path} cannot be written: {reason_of(error)}") from None


def require_output_folder(flag: str, folder: Path | None) -> None:
    """Refuse a folder that nothing could be written into; one that is still to be made can.

    Raises:
        UsageError: it is a file, or there is no permission.
    """
    if folder is None:
        return
    try:
        _require_place(flag, folder, folder)
    except OSError as error:
        raise UsageError(f"{flag} {folder} cannot be written: {reason_of(error)}") from None


def _require_place(flag: str, path: Path, folder: Path) -> None:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise UsageError(f"{flag} {path} cannot be written: {there} is a file; choose another place")
    if not os.access(there, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"{flag} {path} cannot be written: no permission in {there.absolute()}; choose another place")


def try_to_write(path: Path | None, write: Callable[[Path], object]) -> str | None:
    """Write a file about figures that are measured already, in a folder that is made if need be.

    Returns:
        Why it could not be written, to be told after the figures with `told`; None where it was, or none was asked for.
    """
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    except OSError as error:
        return f"{path} could not be written: {reason_of(error)}; the figures above stand"
    return None


def with_problem(record: dict[str, Any], problem: str | None) -> dict[str, Any]:
    """What `--json` prints: the record, and with it, under `error`, that a file of it could not be written."""
    return record if problem is None else {**record, **error_object("OutputError", problem, FAILED)}


def told(problem: str | None) -> int:
    """Tell why a file could not be written, if so; returns the exit code."""
    if problem is None:
        return 0
    complain(problem)
    return FAILED
