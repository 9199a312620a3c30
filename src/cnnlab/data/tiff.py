"""TIFF: which of its many kinds are read, and how much its directory may claim before anything of it is read.

The first page is read, of grey, palette, RGB or CMYK values with up to 16 bits, without compression or in LZW, Deflate,
PackBits, JPEG or CCITT fax code. Values of 32 bits and floating-point values are refused, as no file says which of them
is white.
"""

from __future__ import annotations

import ctypes
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, TiffImagePlugin

from cnnlab.errors import ImageError

_BITS, _COMPRESSION, _PHOTOMETRIC = 258, 259, 262
_PLACES = (273, 279, 324, 325)  # where strips and tiles lie, and how long they are
_TILE_SIDES = (322, 323)
_MOST_PLACES = 50_000
_MOST_TILE_SIDE = 4_096
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_READ = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "I;16", "I;16L", "I;16B")
_INSTEAD = "save it as PNG, or as TIFF with 8 or 16 bits"


@dataclass(frozen=True)
class _Field:
    tag: int
    count: int
    num_bytes: int
    value: int


def is_tiff(data: bytes) -> bool:
    """Whether the bytes of a file begin as a TIFF does."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_directory(data: bytes, name: str) -> None:
    """Refuse a TIFF whose directory claims more than the file can hold, before it is read.

    Raises `ImageError`, naming the file `name`.
    """
    quiet_libtiff()
    try:
        fields = list(_fields(data))
    except struct.error:
        raise ImageError(f"{name}: a TIFF whose directory is cut off; replace the file") from None
    if sum(each.num_bytes for each in fields) > len(data):
        raise ImageError(f"{name}: a TIFF whose directory claims more bytes than the file has; replace the file")
    for each in fields:
        if each.tag in _PLACES and each.count > _MOST_PLACES:
            raise ImageError(f"{name}: a TIFF of {each.count:,} strips or tiles; accepted: up to {_MOST_PLACES:,}")
        if each.tag in _TILE_SIDES and each.value > _MOST_TILE_SIDE:
            raise ImageError(f"{name}: a TIFF in tiles of {each.value:,} pixels; accepted: up to {_MOST_TILE_SIDE:,}")
        if each.tag == _COMPRESSION and each.value not in _READ:
            raise ImageError(f"{name}: a TIFF in compression {each.value}, which is not read; {_INSTEAD}")


def _fields(data: bytes) -> Iterator[_Field]:
    """Give the fields of the first directory; of their values only those that lie in the directory itself."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    length, entry = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    count = struct.unpack_from(order + length, data, start)[0]
    start += struct.calcsize(order + length)
    size = struct.calcsize(order + entry)
    for number in range(count):
        tag, kind, values, inside = struct.unpack_from(order + entry, data, start + number * size)
        num_bytes = values * _VALUE_BYTES.get(kind, 1)
        letter = {2: "H", 4: "I", 8: "Q"}.get(_VALUE_BYTES.get(kind, 1), "B")
        value = struct.unpack_from(order + letter, inside)[0] if num_bytes <= len(inside) else 0
        yield _Field(tag, values, num_bytes, value)


@cache
def quiet_libtiff() -> None:
    """Keep libtiff from printing what it finds wrong, without a name; Pillow raises it all the same.

    Where Pillow does not share the library's names, as on Windows, it goes on printing. Pillow's own warnings of
    directories, which come while pixels are decoded in threads, are put off for good, as no thread can do so alone.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
    with suppress(OSError, AttributeError):
        set_handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler  # type: ignore[attr-defined]
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def check_mode(image: Image.Image, name: str) -> None:
    """Refuse values that have no agreed white; raises `ImageError`, naming the file `name`."""
    if image.mode not in _MODES:
        kind = {"F": "floating-point values", "I": "values of 32 bits"}.get(image.mode, f"{image.mode} values")
        raise ImageError(f"{name}: a TIFF of {kind}, which are not read; {_INSTEAD}")


def high_byte(image: Image.Image) -> Image.Image:
    """Give the highest eight bits of each grey value of 12 or 16 bits, white being the highest, as mode L."""
    values, white, shift = np.asarray(image).astype(np.uint16), 65_535, 8
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(_BITS, (16,))[0]
        shift, white = max(0, bits - 8), (1 << bits) - 1
        if image.tag_v2.get(_PHOTOMETRIC) == 0:  # Pillow turns eight bits round by itself, and no more
            values = white - values
    return Image.fromarray((values >> shift).astype(np.uint8))
