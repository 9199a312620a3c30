"""How much work an image file may make: a small file of countless tiny pieces could keep a core busy for minutes.

Measured with Pillow 13 on a file of 20 MB, before there were limits: 5 million empty comments in a JPEG took 10 s,
1.6 million empty chunks in a PNG 10 s, and 28,000 scans over 12 megapixels 8 minutes.
"""

from __future__ import annotations

import io
import re

from cnnlab.errors import ImageError

HEADER_READS = 4_000
"""The most pieces that are read to open a file; a JPEG with a colour profile of 16 MB has 800."""

PIXEL_READS = 50_000
"""The most pieces that are read to decode one; a PNG of 20 MB in chunks of 4 kB has 15,000."""

SCAN_MEGAPIXELS = 600
"""The most scans of a progressive JPEG times its megapixels; a scan of a megapixel takes 1 to 2 ms."""

_MARKERS = 10_000
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # those without a segment behind them left out
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


class Pieces(io.BytesIO):
    """The bytes of the image file `name`, which can be read only so often."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self._name, self._left = name, HEADER_READS

    def allow_pixels(self) -> None:
        """Go on from the header to the pixels."""
        self._left = PIXEL_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on; raises `ImageError`, naming the file, when it comes in too many pieces."""
        self._left -= 1
        if self._left < 0:
            raise _too_many_pieces(self._name)
        return super().read(size)


def check_scans(data: bytes, megapixels: float, components: int, progressive: bool, name: str) -> None:
    """Refuse a JPEG whose decoder would go over all its pixels too often; raises `ImageError`, naming it.

    A baseline JPEG whose first scan has all its `components` needs no other, and none is looked for.
    """
    position, scans = 2, 0
    for _ in range(_MARKERS):
        found = _MARKER.search(data, position)
        if found is None or found[0] == _END_OF_IMAGE or scans * megapixels > SCAN_MEGAPIXELS:
            break
        position = found.end()
        if found[0] == _START_OF_SCAN:
            scans += 1
            if not progressive and data[position + 2 : position + 3] == bytes([components]):
                return
        position += int.from_bytes(data[position : position + 2], "big")
    else:
        raise _too_many_pieces(name)
    if scans * megapixels > SCAN_MEGAPIXELS:
        raise ImageError(
            f"{name}: {megapixels:.1f} megapixels in {scans:,} scans or more; accepted: up to "
            f"{SCAN_MEGAPIXELS / megapixels:,.0f} scans; save it anew"
        )


def _too_many_pieces(name: str) -> ImageError:
    return ImageError(f"{name}: made of more pieces than any picture needs; save it anew")
