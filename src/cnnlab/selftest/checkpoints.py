"""Checkpoints damaged in every way a disk has: shown to be found out, and the one before gone on with."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from cnnlab.errors import CheckpointError
from cnnlab.models.catalog import create_model
from cnnlab.selftest.campaign import Goal, Outcome, Part
from cnnlab.selftest.disks import PowerCutError, WatchedDisk, after_power_cut, cut_disk, failing_disk, killing_disk
from cnnlab.selftest.isolate import fork
from cnnlab.train.checkpoint import Checkpoint, choose, load, problems, save

FILES = ("manifest.json", "network.safetensors", "optimizer.safetensors", "state.json")
SITES = 22  # calls of a disk in one save; a test counts them
SAVES_BEFORE_A_CUT = 6
GOAL = Goal("damage always found and the checkpoint before gone on with; a failed or cut save loses no earlier one")


@dataclass(frozen=True)
class Kind:
    """A kind of damage: how it should end, how many cases, how many of them in the quick slice, and what does one.

    `try_one` is given the number of the case and an empty folder, and says what was seen.
    """

    name: str
    ended: str
    cases: int
    quick: int
    try_one: Callable[[int, Path], str]


@cache
def made(step: int) -> Checkpoint:
    """A checkpoint of a small network whose numbers say which step it is of."""
    torch.manual_seed(step)
    network = create_model("lenet5_modern").state_dict()
    momentum = {f"0.{number}.momentum_buffer": torch.randn_like(each) for number, each in enumerate(network.values())}
    return Checkpoint({"network": network, "optimizer": momentum}, {"step": step, "progress": {"averaged": 0}})


def same(first: Checkpoint, second: Checkpoint) -> bool:
    """Whether two checkpoints are equal to the last bit."""
    return first.state == second.state and all(
        torch.equal(value, second.tensors[group][name])
        for group, tensors in first.tensors.items()
        for name, value in tensors.items()
    )


# -- damage of what is on the disk ----------------------------------------------------------------------------


def _falls_back(folder: Path, file: str, damage: Callable[[Path], None]) -> str:
    """Save twice, damage a file of the second; the first must be gone on with, and the file be named."""
    _save_first(folder)
    newest = save(folder, 2, made(2), disk=WatchedDisk())
    damage(newest / file)
    wrong, choice = problems(newest), choose(folder, "last")
    assert wrong, f"{file}: nothing was found"
    assert choice.checkpoint == folder / "step-00000001", f"{file}: {choice}"
    assert same(load(choice.checkpoint), made(1)), f"{file}: step 1 came back otherwise"
    named = file == "manifest.json" or file in " ".join(choice.passed_over)
    assert named, f"{file} is not named: {choice.passed_over}"
    return f"{wrong[0]}; step 1 gone on with"


def _truncated(case: int, folder: Path) -> str:
    file, draw = FILES[case % len(FILES)], random.Random(case)

    def truncate(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[: draw.randrange(len(data))])

    return _falls_back(folder, file, truncate)


def _flipped(case: int, folder: Path) -> str:
    file, draw = FILES[case % len(FILES)], random.Random(case)

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)

    return _falls_back(folder, file, flip)


def _missing(case: int, folder: Path) -> str:
    return _falls_back(folder, FILES[case], Path.unlink)


# -- a save that fails, is killed, or loses its power ---------------------------------------------------------


def _save_first(folder: Path) -> None:
    save(folder, 1, made(1), disk=WatchedDisk())  # which does not wait for the disk


def _kept_after(folder: Path, told: str) -> str:
    """Step 1 or a later whole one must be there after a save of step 2 that did not end well, and be as written."""
    choice = choose(folder, "auto").checkpoint
    assert choice is not None, f"{told}: no checkpoint is left"
    step = int(choice.name.removeprefix("step-"))
    assert same(load(choice), made(step)), f"{told}: {choice.name} came back otherwise"
    save(folder, 3, made(3), disk=WatchedDisk())  # whatever lies about must not be in the way
    assert choose(folder, "last").checkpoint == folder / "step-00000003", f"{told}: the next save failed"
    return f"{told}; step {step} was whole, and the next save went well"


def _fails(code: int) -> Callable[[int, Path], str]:
    """A save of which one call of the disk fails with the system's error `code`."""

    def try_one(case: int, folder: Path) -> str:
        _save_first(folder)
        told = f"{errno.errorcode[code]} at call {case}"
        try:
            save(folder, 2, made(2), keep=1, best=True, disk=failing_disk(case, code))
            told += ", of no matter for this save"  # an old one that could not be removed
        except CheckpointError as error:
            told += f": {error}"
        return _kept_after(folder, told)

    return try_one


def _killed(case: int, folder: Path) -> str:
    _save_first(folder)

    def work() -> int:
        save(folder, 2, made(2), keep=1, best=True, disk=killing_disk(case))
        return 0

    code = fork(work).wait(60)
    assert code == -signal.SIGKILL, f"the process ended with {code}, not by SIGKILL"
    return _kept_after(folder, f"SIGKILL ahead of call {case}")


def _power_cut(case: int, folder: Path) -> str:
    """Cut the power while a training saves; what is left must hold a checkpoint no older than the last that was saved.

    Raises:
        AssertionError: it does not.
    """
    draw = random.Random(case)
    disk = cut_disk(draw.randrange(SAVES_BEFORE_A_CUT * SITES))
    live, left = folder / "live", folder / "left"
    saved = 0
    with suppress(PowerCutError):
        for step in range(1, SAVES_BEFORE_A_CUT + 1):
            save(live, step, made(step), best=step % 2 == 1, disk=disk)
            saved = step
    after_power_cut(disk.calls, live, left, draw)
    found = choose(left, "auto").checkpoint
    newest = int(found.name.removeprefix("step-")) if found is not None else 0
    assert newest >= saved, f"step {saved} was saved, and {newest or 'none'} is left"
    assert found is None or same(load(found), made(newest)), f"step {newest} came back otherwise"
    return f"power cut after {len(disk.calls)} calls, {saved} saves done; step {newest} was whole"


# -- all of them ----------------------------------------------------------------------------------------------

KINDS = (
    Kind("truncated", "fallen back", 300, 40, _truncated),
    Kind("bit flipped", "fallen back", 1000, 100, _flipped),
    Kind("file missing", "fallen back", len(FILES), len(FILES), _missing),
    Kind("ENOSPC", "earlier one kept", SITES, SITES, _fails(errno.ENOSPC)),
    Kind("EIO", "earlier one kept", SITES, SITES, _fails(errno.EIO)),
    Kind("SIGKILL in a save", "earlier one kept", SITES, SITES, _killed),
    Kind("power cut", "newest kept", 200, 40, _power_cut),
)


def _kind_of(case: int) -> tuple[Kind, int]:
    """The kind of a case, and its number within the kind."""
    for kind in KINDS:
        if case < kind.cases:
            return kind, case
        case -= kind.cases
    raise IndexError(case)


def _run(cases: Sequence[int], work: Path) -> Iterator[Outcome]:
    for case in cases:
        kind, number = _kind_of(case)
        folder = work / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        started = time.monotonic()
        try:
            ended, passed, seen = kind.ended, True, kind.try_one(number, folder)
        except (AssertionError, CheckpointError, OSError) as error:
            ended, passed, seen = "LOST", False, str(error)
        yield Outcome(case, kind.name, ended, passed, seen, time.monotonic() - started)


def _quick() -> Iterator[int]:
    first = 0
    for kind in KINDS:
        yield from range(first, first + kind.quick)
        first += kind.cases


CHECKPOINTS = Part("checkpoints", GOAL, sum(kind.cases for kind in KINDS), tuple(_quick()), _run)
