"""A campaign of parts, each of many cases; run in slices, a JSON line a case, and gone on with where it stopped.

A campaign's folder holds `environment.json`, and for each part `<part>.jsonl` (its record, a line a case),
`<part>.json` (its summary) and `work/<part>/` (what the part keeps between slices).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import cnnlab
from cnnlab.errors import UsageError
from cnnlab.selftest.summary import summarise
from cnnlab.train.record import environment

ENVIRONMENT = "environment.json"


@dataclass(frozen=True)
class Outcome:
    """One case: what was done, how it ended, and whether that is what was promised.

    Attributes:
        case: its number within the part, from 0.
        kind: which of the part's few kinds of fault it is, such as "SIGKILL"; counted in the table.
        ended: how it ended in a word or two, such as "resumed" or "refused"; counted as well.
        passed: whether the promise was kept.
        seen: one line for people: what was done and what was seen.
        seconds: how long it took.
        figures: what was measured, by name with its unit, such as `peak_megabytes`; the largest is shown.
    """

    case: int
    kind: str
    ended: str
    passed: bool
    seen: str
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """What a part must reach: every case passed, and no figure above its `limits`; `claim` says it in a sentence."""

    claim: str
    limits: Mapping[str, float] = field(default_factory=dict)


Run = Callable[[Sequence[int], Path], Iterator[Outcome]]


@dataclass(frozen=True)
class Part:
    """One part: `run(cases, work)` does the cases of these numbers in turn and gives an outcome for each.

    `quick` are the cases of the two-minute slice, all of them below `cases`. `work` is a folder that stays between
    slices, for what cases share (an undisturbed run to compare with, say).
    """

    name: str
    goal: Goal
    cases: int
    quick: Sequence[int]
    run: Run


Tell = Callable[[Outcome], None]


def run_part(part: Part, cases: Sequence[int], folder: Path, *, seconds: float, tell: Tell) -> None:
    """Run those of `cases` that the record in `folder` lacks; no case is begun after `seconds`.

    Raises `UsageError` when the folder's record is of another version of cnnlab, or another process writes it now.
    """
    began = time.monotonic()
    work = prepare(folder) / "work" / part.name
    work.mkdir(parents=True, exist_ok=True)
    record = folder / f"{part.name}.jsonl"
    with _alone(work.with_suffix(".lock")):
        _drop_torn_line(record)
        done = {outcome["case"] for outcome in read_record(record)}
        left = [case for case in cases if case not in done]
        with record.open("a", encoding="utf-8") as file, closing(_outcomes(part.run(left, work))) as outcomes:
            while left and time.monotonic() - began < seconds and (outcome := next(outcomes, None)) is not None:
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
                tell(outcome)
        write_summary(part, folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other processes out; the system lets go when this one dies, and forks of it do not hold the lock."""
    import fcntl  # not on systems that cannot fork, which the self-test needs anyway

    with lock.open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another self-test runs {lock.stem} in {lock.parent.parent}; wait, or choose another --folder"
            ) from None
        yield


def _outcomes(found: Iterator[Outcome]) -> Generator[Outcome, None, None]:  # a generator, which can be closed
    yield from found


def _drop_torn_line(record: Path) -> None:
    """Take away the beginning of a line that a crash cut short."""
    data = record.read_bytes() if record.is_file() else b""
    if not data.endswith(b"\n") and data:
        os.truncate(record, data.rfind(b"\n") + 1)


def prepare(folder: Path) -> Path:
    """Make a campaign's folder, or check that it is of this version of cnnlab; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ENVIRONMENT
    if not path.is_file():
        found = {name: value for name, value in environment(torch.device("cpu")).items() if name != "command"}
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    held = held_environment(folder)["cnnlab"]
    if held != cnnlab.__version__:
        raise UsageError(
            f"{folder} holds cases of cnnlab {held}, this is {cnnlab.__version__}; choose another folder: --folder NAME"
        )
    return folder


def held_environment(folder: Path) -> dict[str, Any]:
    """Versions and machine of the campaign in `folder`, by name."""
    found: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    return found


def read_record(path: Path) -> list[dict[str, Any]]:
    """The outcomes of a record, one a case, in the order of cases; a last line cut short is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    outcomes = [json.loads(line) for line in lines]
    return sorted({each["case"]: each for each in outcomes}.values(), key=lambda each: each["case"])


def write_summary(part: Part, folder: Path) -> dict[str, Any]:
    """Write and return the summary of what the folder holds of a part."""
    outcomes = read_record(folder / f"{part.name}.jsonl")
    counted = summarise(outcomes, part.goal.limits)
    found = {"part": part.name, "of": part.cases, "claim": part.goal.claim, "limits": dict(part.goal.limits), **counted}
    text = json.dumps({**found, "environment": held_environment(folder)}, indent=1)
    (folder / f"{part.name}.json").write_text(text + "\n", encoding="utf-8")
    return found
