"""Read the CIFAR-10 authors' "python version", whose batches are pickles, without trusting them.

This is the one file of cnnlab that may import pickle. A pickle is a program; the reader here runs it
with nothing to call: every global name is refused but the three that a numpy array is written with,
and these are answered by our own stand-ins, which can only hold uint8 bytes. So a batch can become
dict, list, tuple, bytes, str, int, float, bool, None and uint8 arrays, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.errors import DataError

MAX_BYTES = 64_000_000
"""The longest pickle that is read; a CIFAR-10 batch has 31 MB."""


def read_pickled_batch(data: bytes, name: str = "batch") -> dict[bytes, object]:
    """Read one pickled dict with bytes keys, such as `{b"data": uint8 (N, 3072), b"labels": [...]}`.

    Raises `DataError`, naming `name`, when the pickle is damaged, longer than `MAX_BYTES`, or asks
    for anything beyond plain values and uint8 arrays; nothing of it has run then.
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: {len(data)} bytes; accepted: up to {MAX_BYTES}")
    try:
        batch = _PlainReader(io.BytesIO(data), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except Exception as error:
        raise DataError(f"{name}: not a readable batch ({type(error).__name__}); fetch it again") from None
    if not isinstance(batch, dict):
        raise DataError(f"{name}: holds a {type(batch).__name__}; expected a dict")
    return {_as_bytes(key): _unwrap(value) for key, value in batch.items()}


class _Array:
    """Stands in for numpy.ndarray while the pickle is read; filled by its BUILD opcode."""

    array: npt.NDArray[np.uint8] | None = None

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, fortran_order, raw = state
        if not isinstance(dtype, _Uint8) or not isinstance(raw, bytes):
            raise DataError("an array that is not plain uint8")
        flat = np.frombuffer(raw, dtype=np.uint8)
        self.array = flat.reshape(tuple(shape), order="F" if fortran_order else "C").copy(order="C")


class _Uint8:
    """Stands in for numpy.dtype("u1"); its state (byte order, alignment) means nothing for bytes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _MakeArray:
    __slots__ = ()

    def __call__(self, *_: object) -> _Array:
        return _Array()


class _MakeUint8:
    __slots__ = ()

    def __call__(self, code: object, *_: object) -> _Uint8:
        if code not in ("u1", b"u1", "|u1", b"|u1"):
            raise DataError(f"an array of dtype {code!r}; only uint8 is read")
        return _Uint8()


class _Encode:
    """Stands in for _codecs.encode, with which Python 3 writes bytes in old pickles."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", b"latin1"):
            raise DataError(f"bytes written as {encoding!r}; only latin1 is read")
        return text.encode("latin1")


# Values without a __dict__, so that a pickle cannot change them for the next one.
_STAND_INS: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _MakeArray(),
    ("numpy._core.multiarray", "_reconstruct"): _MakeArray(),
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _MakeUint8(),
    ("_codecs", "encode"): _Encode(),
}


# The reader written in Python, not in C: the C one sizes its memo by a number in the file, so a short
# hostile file could fill the memory.
class _PlainReader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise DataError(f"asks for {module}.{name}, which is refused; fetch the file again") from None

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("asks for an object outside the file, which is refused")


def _as_bytes(key: object) -> bytes:
    if isinstance(key, str):
        return key.encode()
    if isinstance(key, bytes):
        return key
    raise DataError(f"key {key!r} is neither bytes nor text")


def _unwrap(value: object) -> object:
    return value.array if isinstance(value, _Array) else value
