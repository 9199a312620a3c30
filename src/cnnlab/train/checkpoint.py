"""Checkpoints: folders of safetensors with a manifest, written aside, fsynced, then renamed.

A checkpoint `step-00001234` holds `network.safetensors`, `optimizer.safetensors`, `average.safetensors`
(where weights are averaged), `best.safetensors` (where a run has patience), `state.json` and `manifest.json`,
which lists size and SHA-256 of each.
Nothing is ever unpickled. A crash at any moment leaves the earlier checkpoints as they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cnnlab.errors import CheckpointError

MANIFEST = "manifest.json"
STATE = "state.json"
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


def save(folder: Path, step: int, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write `checkpoint` as `folder/step-…` and drop all but the newest `keep`.

    Returns:
        The new checkpoint's folder.

    Raises:
        CheckpointError: it could not be written (a full disk, say); earlier ones are as they were.
    """
    final = folder / f"{_PREFIX}{step:08d}"
    unfinished = final.with_name(final.name + _UNFINISHED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove(unfinished)
        unfinished.mkdir()
        _write_parts(unfinished, checkpoint)
        _remove(final)
        unfinished.rename(final)
        _sync_folder(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise CheckpointError(
            f"could not save {final}: {error.strerror or error}; earlier checkpoints are untouched; "
            "free some space or choose another --run folder, then go on with --resume"
        ) from None
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _write_parts(folder: Path, checkpoint: Checkpoint) -> None:
    for name, tensors in checkpoint.tensors.items():
        part = folder / f"{name}.safetensors"
        try:
            save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, part)
        except SafetensorError as error:  # safetensors wraps the system's own error
            raise OSError(str(error)) from None
        _sync_file(part)
    _write_text(folder / STATE, json.dumps(checkpoint.state, indent=1))
    files = sorted(each for each in folder.iterdir())
    manifest = {each.name: {"bytes": each.stat().st_size, "sha256": sha256(each)} for each in files}
    _write_text(folder / MANIFEST, json.dumps(manifest, indent=1))
    _sync_folder(folder)


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


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
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        expected = {str(name): (int(each["bytes"]), str(each["sha256"])) for name, each in manifest.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return [f"{MANIFEST} cannot be read ({error})"]
    found = []
    for name in sorted({STATE, "network.safetensors"} - expected.keys()):
        found.append(f"{name} is not in the manifest")
    for name, (size, digest) in expected.items():
        part = checkpoint / Path(name).name
        if not part.is_file():
            found.append(f"{name} is missing")
        elif part.stat().st_size != size:
            found.append(f"{name} has {part.stat().st_size} bytes, {size} were written")
        elif sha256(part) != digest:
            found.append(f"{name} has SHA-256 {sha256(part)[:12]}…, {digest[:12]}… was written")
    return found


def load(checkpoint: Path) -> Checkpoint:
    """Read a checkpoint whose every byte is as its manifest says.

    Raises:
        CheckpointError: a file is missing or altered; the message names it and the newest older
            checkpoint that is whole.
    """
    wrong = problems(checkpoint)
    if wrong:
        raise CheckpointError(f"checkpoint {checkpoint} is damaged: {'; '.join(wrong)}. {_offer(checkpoint)}")
    tensors = {part.stem: load_file(part) for part in sorted(checkpoint.glob("*.safetensors"))}
    return Checkpoint(tensors, json.loads((checkpoint / STATE).read_text(encoding="utf-8")))


def _offer(damaged: Path) -> str:
    whole = newest_whole(damaged.parent)
    if whole is None:
        return "No other checkpoint of this run is whole; start anew in another --run folder."
    return f"{whole.name} is whole: go on from it with --resume {whole.name}"


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint in `folder` without a problem, or None."""
    return next((each for each in reversed(list_checkpoints(folder)) if not problems(each)), None)


def choose(folder: Path, which: str) -> Path | None:
    """The checkpoint to go on from: `last`, `auto` (newest whole one, None if there is none), or a name.

    Raises:
        CheckpointError: there is no such checkpoint; the message lists those there are.
    """
    found = list_checkpoints(folder)
    if which == "auto":
        return newest_whole(folder)
    if which == "last" and found:
        return found[-1]
    named = [each for each in found if each.name == which or each.name == f"{_PREFIX}{which:0>8}"]
    if named:
        return named[0]
    have = ", ".join(each.name for each in found) or "none"
    raise CheckpointError(f"no checkpoint {which!r} in {folder}; there: {have}")


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
