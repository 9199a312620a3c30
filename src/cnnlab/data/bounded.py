"""A tar file's bytes, of which nobody asks more than a sound archive has, whatever its headers claim.

`tarfile` reads the names and fields before a member whole: 400 MB of them, squeezed into 400 kB, take as much memory
and minutes.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from cnnlab.errors import DataError

MAX_FIELD_BYTES = 1 << 18
"""The longest name or list of fields before a member; also the largest piece that is read at once."""

READS_A_MEMBER = 4_000


class BoundedFile:
    """A file open for reading, as `tarfile` wants it; `name` begins the messages.

    Every method that reads or seeks raises `DataError` for a piece over `MAX_FIELD_BYTES`, a place beyond
    `max_bytes`, or more pieces than any member needs.
    """

    def __init__(self, file: BinaryIO, name: str, max_bytes: float) -> None:
        self._file, self._name, self._max_bytes = file, name, max_bytes
        self.next_member()

    def next_member(self) -> None:
        """Begin to count the pieces anew."""
        self._left = READS_A_MEMBER

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer at the end."""
        self._left -= 1
        if not 0 <= size <= MAX_FIELD_BYTES or self._left < 0:
            raise DataError(
                f"{self._name}: a name or fields of {size:,} bytes or too many pieces, which no sound archive has; "
                "fetch or make it anew"
            )
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; returns it."""
        if offset > self._max_bytes:
            raise DataError(f"{self._name} grows beyond {self._max_bytes:,.0f} bytes, which it should not")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Say where the next byte is read."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True
