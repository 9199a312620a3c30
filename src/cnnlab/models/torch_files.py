"""The two formats of `torch.save`, read without trusting the file: `.pth`, `.pt` and `.th`.

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import torch
from torch import Tensor

from cnnlab.errors import DataError
from cnnlab.models.unpickle_weights import StoragePlan, TensorPlan, Unpickled, read_pickle

MAX_PICKLE_BYTES = 8_000_000
"""The longest pickle that is read; that of ResNet-1202's weights has 1 MB."""

MAX_ENTRIES = 50_000
"""The most members of an archive, storages of a file, and entries of a state_dict."""

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of the older format
WRAPPERS = ("state_dict", "model", "model_state_dict", "net")  # where training scripts put the weights
_BLOCK_BYTES = 1 << 20


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file written by `torch.save`: CPU tensors by name, in the file's order.

    The file holds a state_dict, or a dict with one under a name of `WRAPPERS`.

    Raises:
        DataError: naming the file, when it is damaged, truncated, larger than it can be, no weights, or asks for
            anything but plain values and tensors; nothing of it has run then.
    """
    with naming(path), path.open("rb", buffering=0) as raw, _Careful(raw) as file:
        archive: _Archive = _ZipArchive(file) if file.peek(4)[:4] == b"PK\x03\x04" else _LegacyArchive(file)
        return {name: _tensor(plan, archive) for name, plan in find_state(archive.pickled.value).items()}


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


def find_state(value: object) -> dict[str, TensorPlan]:
    """Find the state_dict in a file's value: tensors by name, unwrapped from up to three dicts.

    Raises:
        DataError: there is none, or an entry of it is no tensor.
    """
    for _ in range(3):
        wrapper = next((name for name in WRAPPERS if isinstance(value, dict) and isinstance(value.get(name), dict)), "")
        value = value[wrapper] if isinstance(value, dict) and wrapper else value
    if not isinstance(value, dict) or not any(isinstance(each, TensorPlan) for each in value.values()):
        held = f"a dict with {_some(value)}" if isinstance(value, dict) else f"a {type(value).__name__}"
        raise DataError(
            f"holds {held}; expected a state_dict, alone or in a dict as {' or '.join(map(repr, WRAPPERS))}"
        )
    others = {
        name: each for name, each in value.items() if not (isinstance(each, TensorPlan) and isinstance(name, str))
    }
    if others:
        raise DataError(f"a state_dict with entries that are no tensors with a name: {_some(others)}")
    if len(value) > MAX_ENTRIES:
        raise DataError(f"a state_dict of {len(value):,} entries; accepted: up to {MAX_ENTRIES:,}")
    return value


def _some(names: Mapping[object, object]) -> str:
    listed = ", ".join(f"{str(name)[:60]!r}" for name in list(names)[:10])
    return listed + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "no entries"


class _Careful(io.BufferedReader):
    """A file that refuses to be read in pieces so large that only a hostile file can ask for them."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MAX_PICKLE_BYTES:
            raise DataError(f"a table of contents of more than {MAX_PICKLE_BYTES:,} bytes, which is refused")
        return super().read(wanted)


class _Archive(Protocol):
    pickled: Unpickled

    def numbers(self, storage: StoragePlan) -> bytearray:
        """The bytes of one storage, `numel` times the size of its dtype."""


class _ZipArchive:
    def __init__(self, file: _Careful) -> None:
        self.archive = zipfile.ZipFile(file)
        self.members = {member.filename: member for member in self.archive.infolist()}
        self._check_members(os.fstat(file.fileno()).st_size)
        pickles = [name for name in self.members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or self.members[pickles[0]].file_size > MAX_PICKLE_BYTES:
            raise DataError("a zip archive without one data.pkl of a sensible size: no file of torch.save")
        self.folder = pickles[0].removesuffix("data.pkl")
        self._check_kind()
        self.pickled = read_pickle(io.BytesIO(self.archive.read(pickles[0])))
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

    def _check_kind(self) -> None:
        if f"{self.folder}constants.pkl" in self.members:
            raise DataError("a TorchScript program, which is refused; save the state_dict of the network instead")
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
        head = io.BytesIO(file.read(min(self.size, MAX_PICKLE_BYTES)))
        self._check_head(head)
        self.pickled = read_pickle(head)
        keys = read_pickle(head).value
        self.read: dict[str, bytearray] = {}
        self.places = self._find_storages(keys, head.tell())

    def _check_head(self, head: io.BytesIO) -> None:
        start = head.getvalue()[:265]
        if start[257:262] == b"ustar":
            raise DataError(
                "a tar archive, as torch before 0.2 wrote it, which is not read; save it with a newer torch"
            )
        if not start.startswith(b"\x80"):
            raise DataError("neither of the two formats of torch.save, nor safetensors: not a file of weights")
        magic, version, machine = (read_pickle(head).value for _ in range(3))
        if (type(magic), type(version), type(machine)) != (int, int, dict) or (magic, version) != (MAGIC, VERSION):
            raise DataError("a pickle that is no file of torch.save: not a file of weights")
        if isinstance(machine, dict) and machine.get("little_endian") is not True:
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
