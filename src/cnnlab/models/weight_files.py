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
from cnnlab.models.torch_files import MAX_ENTRIES, naming, read_torch_file
from cnnlab.models.unpickle_weights import DTYPES

MAX_HEADER_BYTES = 8_000_000
"""The longest safetensors header that is read; that of ResNet-1202's weights has 1 MB."""

TORCH_SUFFIXES = (".pth", ".pt", ".th")
WRAPPED_NAMES = ("module.", "_orig_mod.")  # DistributedDataParallel and torch.compile put these first


@dataclass(frozen=True)
class WeightsFile:
    """The weights in a file, and where in it they were found; `str()` of it says that in a line.

    Attributes:
        path: the file.
        tensors: CPU tensors by name, in the file's order, without `prefix`.
        format: `safetensors` or `torch`.
        wrapper: the key, or keys joined by dots, under which the file holds them; empty where they lie open.
        prefix: what was taken off the front of their names, such as `module.`.
        others: keys of other weights in the same file.
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

    def __str__(self) -> str:
        said = f"{self.path}: {len(self.tensors)} tensors"
        said += f" from {self.wrapper!r}" if self.wrapper else ""
        said += f", names without {self.prefix!r}" if self.prefix else ""
        return "; ".join((said, *self.notes))


def read_weights(path: Path) -> WeightsFile:
    """Read a file of weights.

    Raises:
        DataError: naming the file, when it is missing, of another kind, damaged or refused.
    """
    return WeightsFile(path, read_weight_file(path), "safetensors" if path.suffix == ".safetensors" else "torch")


def read_weight_file(path: Path) -> dict[str, Tensor]:
    """Read `.safetensors`, `.pth`, `.pt` or `.th`: CPU tensors by name, without the prefixes of wrappers.

    Raises:
        DataError: naming the file, when it is missing, of another kind, damaged or refused.
    """
    if path.suffix not in (".safetensors", *TORCH_SUFFIXES):
        raise DataError(f"{path} is no file of weights; accepted: .safetensors, {', '.join(TORCH_SUFFIXES)}")
    if not path.is_file():
        raise DataError(f"{path} {'is no file' if path.exists() else 'does not exist'}; give a file of weights")
    tensors = read_torch_file(path) if path.suffix in TORCH_SUFFIXES else _read_safetensors(path)
    return without_wrappers(tensors)


def without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without a prefix of `WRAPPED_NAMES` that all names begin with, however often."""
    for _ in range(4):
        for prefix in WRAPPED_NAMES:
            if tensors and all(name.startswith(prefix) for name in tensors):
                tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with naming(path):
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            if header_bytes > min(MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise DataError(
                    f"its header claims {header_bytes:,} bytes; accepted: up to {MAX_HEADER_BYTES:,} and the file's "
                    "length"
                )
            num_entries = len(json.loads(file.read(header_bytes)))
        if num_entries > MAX_ENTRIES + 1:  # and the metadata; loading takes longer the more there are, squared
            raise DataError(f"{num_entries:,} tensors; accepted: up to {MAX_ENTRIES:,}")
        tensors = load_file(path)
        odd = sorted({str(each.dtype) for each in tensors.values() if each.dtype not in DTYPES.values()})
        if odd or not 0 < len(tensors) <= MAX_ENTRIES:
            raise DataError(
                f"{len(tensors)} tensors {' and '.join(odd)}; accepted: 1 to {MAX_ENTRIES:,} of plain dtypes"
            )
        return tensors
