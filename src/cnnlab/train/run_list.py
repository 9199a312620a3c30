"""The runs in a folder, each with how it stands and how good it is: read from its plain files, without torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cnnlab.train.record import BAD_STEP, LOCK

State = Literal["finished", "not learned", "running", "interrupted", "failed"]
DEEPEST = 4  # folders below the one asked for
PARTS = ("test", "val")


@dataclass(frozen=True)
class ListedRun:
    """One run: `accuracy` in [0, 1] with its 95% interval, None where it was not tested; `seconds` of training.

    `state` is `finished`, `not learned` where it ended without having learned, `running` while a process trains here,
    `interrupted` where a checkpoint can be resumed, else `failed`.
    """

    run: str
    state: State
    recipe: str
    model: str
    data: str
    seed: int | None
    part: str | None
    protocol: str | None
    accuracy: float | None
    interval95: tuple[float, float] | None
    seconds: float | None


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs in `folder` and below it, by path; a run's own folders are not looked into."""
    return [_listed(each) for each in sorted(_find(folder, DEEPEST))]


def _find(folder: Path, deepest: int) -> list[Path]:
    if (folder / "recipe.json").is_file():
        return [folder]
    if not deepest:
        return []
    try:
        below = [Path(each.path) for each in os.scandir(folder) if each.is_dir() and not each.name.startswith(".")]
    except OSError:
        return []  # what may not be read holds no run of ours
    return [run for each in below for run in _find(each, deepest - 1)]


def _listed(run: Path) -> ListedRun:
    recipe, settings, data, result = (_read(run / f"{name}.json") for name in ("recipe", "settings", "data", "result"))
    part = next((each for each in PARTS if isinstance(result.get(each), dict)), None)
    tested = result[part] if part else {}
    interval = tested.get("interval95")
    return ListedRun(
        run=str(run),
        state=_state(run, result),
        recipe=str(recipe.get("name", "?")),
        model=str(recipe.get("model", "?")),
        data=str(data.get("name") or settings.get("data") or recipe.get("data", "?")),
        seed=settings.get("seed"),
        part=part,
        protocol=tested.get("protocol"),
        accuracy=tested.get("top1"),
        interval95=(interval[0], interval[1]) if interval else None,
        seconds=result.get("train_seconds", _seconds(run)),
    )


def _state(run: Path, result: dict[str, Any]) -> State:
    if result:
        return "not learned" if result.get("learned") is False else "finished"  # null where it cannot be told
    if _is_locked(run / LOCK):
        return "running"
    resumable = any((run / "checkpoints").glob("step-*")) and not (run / f"{BAD_STEP}.json").is_file()
    return "interrupted" if resumable else "failed"


def _is_locked(path: Path) -> bool:
    """Whether a process holds the run's lock; asking takes it for a moment, and only where nobody has it."""
    try:
        import fcntl  # POSIX; elsewhere nothing tells a running from an interrupted one

        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


def _seconds(run: Path) -> float | None:
    """How long an unfinished run has trained, by the last line of its metrics."""
    try:
        last = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        return float(json.loads(last)["seconds"])
    except (OSError, IndexError, ValueError, KeyError, TypeError):
        return None


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none, or it is no such thing."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
