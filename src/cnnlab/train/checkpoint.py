"""Checkpoints: folders of safetensors with a manifest, written aside, fsynced, then renamed.

A checkpoint `step-00001234` holds `network.safetensors`, `optimizer.safetensors`, `average.safetensors`
(where weights are averaged), `best.safetensors` (where a run has patience), `proxy.safetensors` and
`proxy_optimizer.safetensors` (where a proxy finds the hardest images), `state.json` and `manifest.json`,
which lists size and SHA-256 of each. Beside the checkpoints, the files `last` and `best` name two of them.
Nothing is ever unpickled. A crash at any moment leaves the earlier checkpoints as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from cnnlab.errors import CheckpointError, reason_of
from cnnlab.train.disk import Disk, replace_file

MANIFEST = "manifest.json"
STATE = "state.json"
LAST, BEST = "last", "best"  # the newest checkpoint, and the one of the lowest validation error: files with its name
_PREFIX = "step-"
_UNFINISHED = ".incomplete"


@dataclass(frozen=True)
class Checkpoint:
    """What a training needs to go on: named groups of tensors, and plain values."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]

    @property
    def tested_weights(self) -> Mapping[str, Tensor]:
        """The weights a test would use at this step: the average, once it holds any, else the network's own."""
        return self.tensors["average" if self.state["progress"]["averaged"] else "network"]


def save(
    folder: Path,
    step: int,
    checkpoint: Checkpoint,
    *,
    keep: int = 2,
    best: bool = False,
    disk: Disk | None = None,
) -> Path:
    """Write `checkpoint` as `folder/step-…`, point `last` at it, and drop all but the newest `keep` and the best.

    Args:
        folder: where the run's checkpoints are; made if need be.
        step: how many steps the training has taken.
        checkpoint: what to keep.
        keep: how many of the newest stay, 1 or more.
        best: whether `best` is to point at it, too.
        disk: what to write with, for tests of faults.

    Returns:
        The new checkpoint's folder. Those of later steps go: a training that went back has left them behind.

    Raises:
        CheckpointError: it could not be written (a full disk, say); earlier ones are as they were.
    """
    disk = disk or Disk()
    final = folder / f"{_PREFIX}{step:08d}"
    unfinished = final.with_name(final.name + _UNFINISHED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(unfinished, final, _parts(checkpoint), disk)
        for pointer in (LAST, BEST) if best else (LAST,):
            replace_file(folder / pointer, f"{final.name}\n".encode(), disk)
    except OSError as error:
        with contextlib.suppress(OSError):
            Disk().remove(unfinished)
        raise CheckpointError(
            f"could not save {final}: {error.strerror or error}; earlier checkpoints are untouched; "
            "free some space or choose another --run folder, then use --resume"
        ) from None
    _drop_others(folder, final, keep, disk)
    return final


def _parts(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of a checkpoint by name, the manifest last."""
    parts = {
        f"{name}.safetensors": to_bytes({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        for name, tensors in checkpoint.tensors.items()
    }
    parts[STATE] = json.dumps(checkpoint.state, indent=1).encode()
    manifest = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in sorted(parts.items())
    }
    return {**parts, MANIFEST: json.dumps(manifest, indent=1).encode()}


def _write(unfinished: Path, final: Path, parts: Mapping[str, bytes], disk: Disk) -> None:
    """Write a checkpoint's files; one of the same step and the same bytes stays as it is."""
    if final.is_dir():
        if not problems(final) and (final / MANIFEST).read_bytes() == parts[MANIFEST]:
            return
        disk.remove(final)
    disk.remove(unfinished)
    disk.make_folder(unfinished)
    for name, data in parts.items():
        disk.write(unfinished / name, data)
        disk.sync(unfinished / name)
    disk.sync(unfinished)
    disk.rename(unfinished, final)
    disk.sync(final.parent)


def _drop_others(folder: Path, newest: Path, keep: int, disk: Disk) -> None:
    """Remove what is not to be kept; what cannot be removed stays, as it harms nobody."""
    found = list_checkpoints(folder)
    earlier = found[: found.index(newest) + 1]
    kept = {*earlier[-keep:], pointed_at(folder, BEST)}
    unfinished = [each for each in folder.iterdir() if each.name.endswith(_UNFINISHED)]
    for each in (*found, *unfinished):
        if each not in kept:
            with contextlib.suppress(OSError):
                disk.remove(each)


def pointed_at(folder: Path, pointer: str) -> Path | None:
    """The checkpoint that the file `last` or `best` in `folder` names; None without one, or where it is gone."""
    try:
        name = (folder / pointer).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return next((each for each in list_checkpoints(folder) if each.name == name), None)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints in `folder`, oldest first; unfinished ones do not count."""
    if not folder.is_dir():
        return []
    found = (each for each in folder.iterdir() if each.is_dir() and each.name.startswith(_PREFIX))
    return sorted(each for each in found if each.name.removeprefix(_PREFIX).isdigit())


def problems(checkpoint: Path) -> list[str]:
    """What is wrong with a checkpoint, one sentence a file; empty if all of it is as it was written."""
    try:
        expected = _manifest(checkpoint)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"{MANIFEST} cannot be read ({reason_of(error)})"]
    found = [f"{name} is not in the manifest" for name in sorted({STATE, "network.safetensors"} - expected.keys())]
    for name, (size, digest) in expected.items():
        wrong = _problem(checkpoint / Path(name).name, size, digest)
        if wrong is not None:
            found.append(f"{name} {wrong}")
    return found


def _manifest(checkpoint: Path) -> dict[str, tuple[int, str]]:
    """Size in bytes and SHA-256 of each file of a checkpoint, as they were written."""
    manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    return {str(name): (int(each["bytes"]), str(each["sha256"])) for name, each in manifest.items()}


def _problem(part: Path, size: int, digest: str) -> str | None:
    """What is wrong with one file, None for nothing."""
    try:
        if not part.is_file():
            return "is missing"
        if part.stat().st_size != size:
            return f"has {part.stat().st_size} bytes, {size} were written"
        found = sha256(part)
    except OSError as error:  # the disk itself
        return f"cannot be read ({error.strerror or error})"
    return None if found == digest else f"has SHA-256 {found[:12]}…, {digest[:12]}… was written"


def load(checkpoint: Path) -> Checkpoint:
    """Read a checkpoint whose every byte is as its manifest says.

    Raises:
        CheckpointError: a file is missing or altered; the message names it and the newest older
            checkpoint that is whole.
    """
    wrong = problems(checkpoint)
    if wrong:
        raise CheckpointError(f"checkpoint {checkpoint} is damaged: {'; '.join(wrong)}. {_offer(checkpoint)}")
    parts = [checkpoint / name for name in _manifest(checkpoint) if name.endswith(".safetensors")]
    tensors = {part.stem: load_file(part) for part in parts}
    return Checkpoint(tensors, json.loads((checkpoint / STATE).read_text(encoding="utf-8")))


def _offer(damaged: Path) -> str:
    whole = newest_whole(damaged.parent)
    if whole is None:
        return "No other checkpoint of this run is whole; start anew in another --run folder."
    return f"{whole.name} is whole: go on from it with --resume {whole.name}"


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint in `folder` without a problem, or None."""
    return next((each for each in reversed(list_checkpoints(folder)) if not problems(each)), None)


@dataclass(frozen=True)
class Choice:
    """The checkpoint to go on from, None for none at all, and for each newer one that is damaged what is wrong."""

    checkpoint: Path | None
    passed_over: tuple[str, ...] = ()


def choose(folder: Path, which: str) -> Choice:
    """The checkpoint to go on from.

    Args:
        folder: where the run's checkpoints are.
        which: `last` or `auto` for the newest that is whole, `best`, or one by name or step. Without a whole one
            `auto` gives none, which is to begin anew.

    Raises:
        CheckpointError: there is no such checkpoint, which lists those there are, or none is whole.
    """
    if which in (LAST, "auto"):
        return _newest_whole(folder, beginning_anew=which == "auto")
    wanted = pointed_at(folder, BEST) if which == BEST else None
    named = [each for each in list_checkpoints(folder) if each.name in (which, f"{_PREFIX}{which:0>8}")]
    if wanted is None and not named:
        raise CheckpointError(f"no checkpoint {which!r} in {folder}; there: {_names(folder)}")
    return Choice(wanted or named[0])


def _newest_whole(folder: Path, *, beginning_anew: bool) -> Choice:
    passed_over: list[str] = []
    for each in reversed(list_checkpoints(folder)):
        wrong = problems(each)
        if not wrong:
            return Choice(each, tuple(passed_over))
        passed_over.append(f"checkpoint {each} is damaged: {'; '.join(wrong)}")
    if beginning_anew:
        return Choice(None, tuple(passed_over))
    why = "; ".join(passed_over) or "there is none"
    raise CheckpointError(f"no whole checkpoint in {folder}: {why}; begin anew with --resume auto, or in another --run")


def _names(folder: Path) -> str:
    return ", ".join(each.name for each in list_checkpoints(folder)) or "none"


# -- what torch optimizers keep, as tensors by name ---------------------------------------------------------


def optimizer_tensors(optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Every tensor an optimizer remembers, named `<optimizer>.<parameter number>.<what>`."""
    named = {}
    for place, optimizer in enumerate(optimizers):
        for number, parameter in enumerate(_parameters(optimizer)):
            for what, value in optimizer.state.get(parameter, {}).items():
                if value is not None:
                    named[f"{place}.{number}.{what}"] = torch.as_tensor(value)
    return named


def restore_optimizers(optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """Give freshly built optimizers the memory that `optimizer_tensors` named."""
    for name, value in tensors.items():
        place, number, what = name.split(".")
        optimizer = optimizers[int(place)]
        parameter = _parameters(optimizer)[int(number)]
        kept = value.to(parameter.device)
        if kept.shape == parameter.shape:  # laid out in memory as its parameter is
            kept = torch.empty_like(parameter, dtype=kept.dtype).copy_(kept).detach()
        optimizer.state[parameter][what] = kept


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
