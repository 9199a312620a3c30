"""A file of weights, whatever its format, as CPU tensors by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from cnnlab.errors import DataError
from cnnlab.models.prefixes import unwrap
from cnnlab.models.state_dicts import MAX_ENTRIES, is_averaged, is_fit_name
from cnnlab.models.tensor_plans import DTYPES
from cnnlab.models.torch_files import naming, read_torch_file
from cnnlab.models.weight_kinds import kind_of, kind_of_folder

MAX_HEADER_BYTES = 8_000_000
"""The longest safetensors header that is read; that of ResNet-1202's weights has 1 MB."""


@dataclass(frozen=True)
class WeightsFile:
    """The weights in a file, and where in it they were found; `str()` of it says that in a line.

    Attributes:
        path: the file.
        tensors: CPU tensors by name, in the file's order, without `prefix`.
        format: `safetensors` or `torch`.
        wrapper: the key, or keys joined by dots, under which the file holds them; empty where they lie open.
        prefix: what was taken off the front of their names, such as `module.`.
        others: keys of other weights in the same file, each accepted as `key`.
        notes: what else was decided while reading, one sentence each.
        values: plain values beside the weights, such as `arch` and `epoch`: str, int, float or bool by name.
    """

    path: Path
    tensors: dict[str, Tensor]
    format: str
    wrapper: str = ""
    prefix: str = ""
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    values: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the whole file, in hexadecimal digits; read on first use."""
        with self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    @property
    def said(self) -> tuple[str, ...]:
        """Where the weights were found and what was decided, one sentence each; empty where they lay open."""
        wrapper = (f"taken from {self.wrapper!r}",) if self.wrapper else ()
        prefix = (f"names without {self.prefix!r}",) if self.prefix else ()
        return (*wrapper, *prefix, *self.notes)

    def __str__(self) -> str:
        return "; ".join((f"{self.path}: {len(self.tensors)} tensors", *self.said))


@dataclass(frozen=True)
class Which:
    """Which of the weights in a file are meant: the usual ones, unless it is said; see `read_weights`."""

    key: str | None = None
    ema: bool = False

    def flags(self) -> tuple[str, ...]:
        """As the command line takes it, such as `--key teacher`; nothing for the usual weights."""
        return (*(("--key", self.key) if self.key is not None else ()), *(("--ema",) if self.ema else ()))

    def read(self, path: Path) -> WeightsFile:
        """The weights in the file at `path` that are meant; raises as `read_weights` does."""
        return read_weights(path, key=self.key, ema=self.ema)


def read_weights(path: Path, *, key: str | None = None, ema: bool = False) -> WeightsFile:
    """Read a file of weights, whatever its ending: its first bytes say what it is.

    Args:
        path: the file.
        key: which of several weights to take, as `others` lists them, or a beginning of names (`module.encoder_k`).
        ema: take the averaged weights.

    Raises:
        DataError: naming the file, when it is missing, of another kind, damaged or refused, when it holds several
            weights and `key` does not say which, or when it has none that are averaged and `ema` asks for them.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; give a file of weights")
    with naming(path):
        of_torch = _is_of_torch(path)
    if of_torch:
        return _of_torch(path, key, ema)
    with naming(path):
        return _of_safetensors(path, key, ema)


def _is_of_torch(path: Path) -> bool:
    """Whether a file may be one of torch.save; it may be safetensors otherwise, and all else is refused by its kind."""
    if path.is_dir():
        raise DataError(kind_of_folder(path))
    if not path.is_file():
        raise DataError("neither a file nor a folder; give a file of weights")
    with path.open("rb") as file:
        head = file.read(9)
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size - 8:
        return False
    if kind := kind_of(path):
        raise DataError(kind)
    return path.suffix != ".safetensors" or head.startswith((b"PK", b"\x80"))


def _of_torch(path: Path, key: str | None, ema: bool) -> WeightsFile:
    found = read_torch_file(path, key=key, ema=ema)
    chosen, others = found.choice.chosen, found.choice.others
    notes: tuple[str, ...] = (
        (f"of a whole {chosen.module}, of which only the tensors are taken",) if chosen.module else ()
    )
    notes += ("they are averages over the training (EMA)",) if chosen.averaged else ()
    if averaged := [each for each in others if is_averaged(each) and not chosen.averaged]:
        notes += (f"averaged weights are there too, under {averaged[0]!r}: --ema takes them",)
    return WeightsFile(
        path=path,
        tensors=found.tensors,
        format="torch",
        wrapper=chosen.wrapper,
        prefix=found.unwrapped.prefix,
        others=others,
        notes=notes + found.unwrapped.notes,
        values=found.values,
    )


def _of_safetensors(path: Path, key: str | None, ema: bool) -> WeightsFile:
    tensors = _read_safetensors(path)
    if odd := [name for name in tensors if not is_fit_name(name)]:
        raise DataError(f"an entry whose name is not fit for one: {odd[0][:60]!a}")
    found = unwrap(tensors, only=key or "", ema=ema)
    kept = {ours: tensors[theirs] for ours, theirs in found.theirs.items()}
    return WeightsFile(path, kept, "safetensors", prefix=found.prefix, notes=found.notes)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes > min(MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise DataError(
                f"its header claims {header_bytes:,} bytes; accepted: up to {MAX_HEADER_BYTES:,} and the file's length"
            )
        num_entries = len(json.loads(file.read(header_bytes)))
    if num_entries > MAX_ENTRIES + 1:  # and the metadata; loading takes longer the more there are, squared
        raise DataError(f"{num_entries:,} tensors; accepted: up to {MAX_ENTRIES:,}")
    tensors = load_file(path)
    odd = sorted({str(each.dtype) for each in tensors.values() if each.dtype not in DTYPES.values()})
    if odd or not 0 < len(tensors) <= MAX_ENTRIES:
        raise DataError(f"{len(tensors)} tensors {' and '.join(odd)}; accepted: 1 to {MAX_ENTRIES:,} of plain dtypes")
    return tensors
