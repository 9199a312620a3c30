"""The two formats of `torch.save`, read without trusting the file.

Since torch 1.6 a file is a zip archive, `NAME/data.pkl` beside one member of raw numbers for each storage, which
are stored, never compressed. Before, and with `_use_new_zipfile_serialization=False`, it is five pickles in a
row (a magic number, a version, the machine, the value, the storages' keys), then each storage as a count of 8
bytes and its numbers. The pickles are read by `unpickle_weights`; sizes are compared with the file's before any
memory is taken.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import torch
from torch import Tensor

from cnnlab.errors import DataError
from cnnlab.models.prefixes import Unwrapped, unwrap
from cnnlab.models.state_dicts import MAX_ENTRIES, Choice, choose_state, plain_values
from cnnlab.models.tensor_plans import StoragePlan, TensorPlan
from cnnlab.models.unpickle_weights import Unpickled, read_pickle
from cnnlab.models.weight_kinds import PICKLE, SAVE, kind_of_archive

MAX_PICKLE_BYTES = 32_000_000
"""The longest pickle that is read: of the weights of ResNet-1202 it has 1 MB, the rest is for what stands beside."""

MAX_TABLE_BYTES = 8_000_000
"""The longest table of contents of an archive."""

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of the older format
_MAGIC_AS_WRITTEN = (MAGIC.to_bytes(10, "little"), str(MAGIC).encode())  # of protocols 2 to 5, and 0 and 1
_HEAD_BYTES = 64
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class TorchFile:
    """What was taken out of a torch file.

    Attributes:
        tensors: CPU tensors by name.
        choice: which weights they are, and what else the file holds.
        unwrapped: what was taken off their names.
        values: plain values beside them.
    """

    tensors: dict[str, Tensor]
    choice: Choice
    unwrapped: Unwrapped
    values: dict[str, str | int | float | bool]


def read_torch_file(path: Path, *, key: str | None = None, ema: bool = False) -> TorchFile:
    """Read the weights of a file written by `torch.save`; only their numbers are read, not those of an optimizer.

    The file holds a state_dict, alone or inside of dicts, or a whole module, of which only the tensors are taken.
    `key` and `ema` choose among several.

    Raises:
        DataError: naming the file, when it is damaged, truncated, larger than it can be, holds no weights or several,
            or anything but tensors among them; nothing of it has run then, as ever.
    """
    with naming(path), path.open("rb", buffering=0) as raw, _Careful(raw) as file:
        archive: _Archive = _ZipArchive(file) if file.peek(2)[:2] == b"PK" else _LegacyArchive(file)
        value = archive.pickled.value
        choice = choose_state(value, key=key, ema=ema)
        inside = ema and not choice.chosen.averaged
        unwrapped = unwrap(choice.plans, only=choice.prefix, ema=inside)
        tensors = {ours: _tensor(choice.plans[theirs], archive) for ours, theirs in unwrapped.theirs.items()}
        return TorchFile(tensors, choice, unwrapped, plain_values(value))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `DataError` that begins with `path`."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:
        raise DataError(
            f"{path}: damaged or truncated, or no weights ({type(error).__name__}: {str(error)[:200]})"
        ) from None


class _Careful(io.BufferedReader):
    """A file that refuses to be read in pieces so large that only a hostile file can ask for them."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MAX_TABLE_BYTES:
            raise DataError(f"a table of contents of more than {MAX_TABLE_BYTES:,} bytes, which is refused")
        return super().read(wanted)

    def beginning(self) -> bytes:
        """As many bytes as a pickle may have, or all there are."""
        self.seek(0)
        return super().read(min(os.fstat(self.fileno()).st_size, MAX_PICKLE_BYTES))


class _Archive(Protocol):
    pickled: Unpickled

    def numbers(self, storage: StoragePlan) -> bytearray:
        """The bytes of one storage, `numel` times the size of its dtype."""


class _ZipArchive:
    def __init__(self, file: _Careful) -> None:
        self.archive = zipfile.ZipFile(file)
        self.members = {member.filename: member for member in self.archive.infolist()}
        if kind := kind_of_archive(self.members):
            raise DataError(kind)
        self._check_members(os.fstat(file.fileno()).st_size)
        pickles = [name for name in self.members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise DataError("a zip archive without one data.pkl: not a file of torch.save")
        if (size := self.members[pickles[0]].file_size) > MAX_PICKLE_BYTES:
            raise DataError(
                f"its pickle has {size:,} bytes; accepted: up to {MAX_PICKLE_BYTES:,}, without the numbers of tensors; "
                f"where these are numpy arrays, {SAVE}"
            )
        self.folder = pickles[0].removesuffix("data.pkl")
        self._check_byte_order()
        with self.archive.open(pickles[0]) as stream:
            self.pickled = read_pickle(io.BytesIO(_read_exactly(stream, self.members[pickles[0]].file_size)))
        self.read: dict[str, bytearray] = {}

    def _check_members(self, file_bytes: int) -> None:
        members = self.archive.infolist()
        if len(members) > MAX_ENTRIES or len(self.members) != len(members):
            raise DataError(f"an archive of {len(members)} members, some of one name or more than {MAX_ENTRIES:,}")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
                raise DataError(f"its member {member.filename[:100]!r} is compressed; torch stores, so this is refused")
        if sum(member.file_size for member in members) > file_bytes:
            raise DataError(f"its members claim more bytes than the file's {file_bytes:,}")

    def _check_byte_order(self) -> None:
        order = self.members.get(f"{self.folder}byteorder")
        if order is not None and (order.file_size > 9 or self.archive.read(order) != b"little"):
            raise DataError("written on a big-endian machine, which is not read")

    def numbers(self, storage: StoragePlan) -> bytearray:
        if storage.key not in self.read:
            member = self.members.get(f"{self.folder}data/{storage.key}")
            wanted = storage.numel * storage.dtype.itemsize
            if member is None or member.file_size != wanted:
                held = "missing" if member is None else f"of {member.file_size} bytes"
                raise DataError(f"storage {storage.key[:60]!r} is {held}, where {wanted} bytes belong")
            with self.archive.open(member) as stream:
                self.read[storage.key] = _read_exactly(stream, wanted)
        return self.read[storage.key]


class _LegacyArchive:
    def __init__(self, file: _Careful) -> None:
        self.file, self.size = file, os.fstat(file.fileno()).st_size
        head = io.BytesIO(file.beginning())
        self._check_head(head)
        self.pickled = read_pickle(head)
        keys = read_pickle(head).value
        self.read: dict[str, bytearray] = {}
        self.places = self._find_storages(keys, head.tell())

    def _check_head(self, head: io.BytesIO) -> None:
        if not head.getvalue().startswith((b"\x80", b"L119547037146038801333356L")):  # of protocol 1, the number itself
            raise DataError("neither of the two formats of torch.save, nor safetensors: not a file of weights")
        start = head.getvalue()[:_HEAD_BYTES]
        ours = len(start) < _HEAD_BYTES or any(each in start for each in _MAGIC_AS_WRITTEN)
        if not ours or read_pickle(head).value != MAGIC:
            raise DataError("; ".join(PICKLE))
        version, machine = read_pickle(head).value, read_pickle(head).value
        if type(version) is not int or version != VERSION or not isinstance(machine, dict):
            raise DataError("a file of torch.save in a version that is not known")
        if machine.get("little_endian") is not True:
            raise DataError("written on a big-endian machine, which is not read")

    def _find_storages(self, keys: object, position: int) -> dict[str, int]:
        """Where the numbers of each storage begin; every count is compared with the plan and the file's length."""
        if not isinstance(keys, list) or len(keys) > MAX_ENTRIES or not all(isinstance(key, str) for key in keys):
            raise DataError(f"no list of up to {MAX_ENTRIES:,} storages after its pickle")
        places: dict[str, int] = {}
        for key in keys:
            storage = self.pickled.storages[key]
            self.file.seek(position)
            (count,) = struct.unpack("<q", _read_exactly(self.file, 8))
            end = position + 8 + storage.numel * storage.dtype.itemsize
            if count != storage.numel or end > self.size:
                raise DataError(
                    f"storage {key[:60]!r} has {count} numbers where {storage.numel} belong, up to byte {end:,} of "
                    f"{self.size:,}: truncated?"
                )
            places[key], position = position + 8, end
        return places

    def numbers(self, storage: StoragePlan) -> bytearray:
        if storage.key not in self.read:
            self.file.seek(self.places[storage.key])
            self.read[storage.key] = _read_exactly(self.file, storage.numel * storage.dtype.itemsize)
        return self.read[storage.key]


def _read_exactly(stream: IO[bytes], size: int) -> bytearray:
    buffer, done = bytearray(size), 0
    while done < size:
        block = stream.read(min(_BLOCK_BYTES, size - done))
        if not block:
            raise DataError(f"ends {size - done:,} bytes early: truncated?")
        buffer[done : done + len(block)] = block
        done += len(block)
    return buffer


def _tensor(plan: TensorPlan, archive: _Archive) -> Tensor:
    """The tensor of a plan whose extent was checked; tensors that shared a storage still do."""
    storage = plan.storage
    if storage.numel == 0 or 0 in plan.size:
        return torch.empty(plan.size, dtype=storage.dtype)
    flat = torch.frombuffer(archive.numbers(storage), dtype=storage.dtype)
    return flat.as_strided(plan.size, plan.stride, plan.offset)
