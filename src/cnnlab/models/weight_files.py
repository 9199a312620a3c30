"""A file of weights, whatever its format, as CPU tensors by name."""

from __future__ import annotations

import json
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
