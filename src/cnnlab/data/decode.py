"""The only decoder: image bytes in, RGB pixels out, whoever asks (train, evaluate, explain, serve).

What every kind of image becomes:

- JPEG, PNG, WebP, BMP and GIF are read; of an animation, the first frame. Nothing else is opened.
- The EXIF orientation is applied; a damaged EXIF block is ignored. Colour profiles (ICC) are ignored.
- Grey, 1-bit and palette images are spread over three channels.
- Transparency (an alpha channel, or a transparent colour) is composited over white.
- A file that makes more work than a picture can need is refused (`effort.py`), and so is run-length-coded BMP.
- CMYK becomes RGB as Pillow does it, with Adobe's inverted values turned round.
- 16-bit values keep their high byte (`value >> 8`), for grey and colour alike: scaled, never clipped.

Pillow reads every header and decodes everything but plain JPEGs, which torchcodec decodes to the same
bytes in four fifths of the time. What torchcodec refuses, Pillow judges.
"""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from cnnlab.data.effort import Pieces, check_scans
from cnnlab.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""The formats that are opened, by Pillow's names; any other is refused."""

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif")
"""The file endings, in small letters, under which images are looked for in a folder."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_HEADER_LOCK = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """How large an image may be; checked on the header, before any pixel is decoded.

    `aspect` is the longer side divided by the shorter one: a 1 x 20000 strip would become gigantic
    when its shorter side is resized. A 1 x 1 image is accepted. Beyond 179 megapixels Pillow itself
    refuses, whatever the limits.
    """

    megapixels: float = 50.0
    megabytes: float = 20.0
    side_pixels: int = 20_000
    aspect: float = 200.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class ImageHeader:
    """What the header says: `format` and `mode` by Pillow's names, the size in pixels as stored.

    The size is before the EXIF orientation is applied.
    """

    format: str
    width: int
    height: int
    mode: str


def probe(data: bytes, name: str = "image") -> ImageHeader:
    """Read format, size and mode from the header alone; no pixel is decoded and no limit applied.

    Raises `ImageError`, naming `name`, when `data` is none of `FORMATS`.
    """
    with _open(data, name) as image:
        return _header(image)


class OpenImage:
    """An image whose header was read and lies within the limits; `width` and `height` are upright, in pixels."""

    def __init__(self, image: Image.Image, data: bytes) -> None:
        self._image, self._data = image, data
        self._orientation = _orientation(image)
        turned = self._orientation in _SIDEWAYS
        self.width, self.height = image.size[::-1] if turned else image.size

    @property
    def is_baseline_jpeg(self) -> bool:
        """Whether it is an upright grey or colour JPEG in one pass, the kind that a GPU's decoder takes."""
        return _is_plain_jpeg(self._image, self._orientation) and "progressive" not in self._image.info

    def pixels(self, shrink: int = 1) -> npt.NDArray[np.uint8]:
        """Decode to RGB uint8 (H, W, 3), once; `shrink` 2, 4 or 8 divides both sides, rounded up, of a JPEG.

        Shrinking leaves coefficients of the JPEG out, which costs less time than decoding them; other
        formats come whole, so look at the shape.
        """
        image = self._image
        if shrink > 1 and image.format == "JPEG":
            image.draft(None, (image.width // shrink, image.height // shrink))
        elif _is_plain_jpeg(image, self._orientation) and (fast := _decode_plain_jpeg(self._data)) is not None:
            return fast
        turn = _UPRIGHT.get(self._orientation)
        # Copied, because Pillow's own buffer is read-only and torch wants to write.
        return np.array(_to_rgb(image if turn is None else image.transpose(turn)), dtype=np.uint8)


@contextmanager
def open_image(data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image") -> Iterator[OpenImage]:
    """Read the header of one image, check it, and give the image to decode within the `with` block.

    Raises `ImageError`, naming `name` and the reason, when the image is of another format, damaged,
    truncated, or beyond `limits`; also for what goes wrong with it inside the block.
    """
    _check_bytes(len(data), limits, name)
    try:
        with _open(data, name) as image:
            _check_size(_header(image), limits, name)
            _check_effort(image, data, name)
            yield OpenImage(image, data)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: too little memory to decode it; make the image smaller") from None
    except Exception as error:
        # Pillow's decoders raise a dozen kinds (OSError, SyntaxError, ValueError, struct.error, …);
        # their texts may hold addresses or paths, so only the kind is passed on.
        raise _damaged(name, error) from None


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image") -> npt.NDArray[np.uint8]:
    """Decode one image to RGB uint8 (H, W, 3), upright; the conversions are listed above.

    Raises `ImageError`, naming `name` and the reason, when the image is of another format, damaged,
    truncated, or beyond `limits`.
    """
    with open_image(data, limits, name) as image:
        return image.pixels()


def decode_file(path: Path, limits: Limits = DEFAULT_LIMITS, name: str | None = None) -> npt.NDArray[np.uint8]:
    """Decode the image file `path` to RGB uint8 (H, W, 3); see `decode`.

    Raises `ImageError`, naming `name` (or the path), also for anything that is not a regular file: a
    FIFO or a device is never read from.
    """
    shown = name or printable(str(path))
    return decode(read_image_file(path, limits, shown), limits, shown)


def printable(text: str) -> str:
    """Make a file name safe to print: bytes that are not UTF-8 are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_image_file(path: Path, limits: Limits = DEFAULT_LIMITS, name: str | None = None) -> bytes:
    """Give the bytes of the image file `path`; raises `ImageError` as `decode_file` does."""
    name = name or printable(str(path))
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{name}: not a regular file; give an image file")
            _check_bytes(status.st_size, limits, name)
            return file.read(status.st_size + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ImageError(f"{name}: cannot be read ({reason}); check that it exists and is readable") from None


def _open(data: bytes, name: str) -> Image.Image:
    try:
        # Pillow warns of large sizes and damaged EXIF; we answer for both ourselves. The lock keeps
        # the threads of one pool from undoing each other's filters; only the header is read inside.
        with _HEADER_LOCK, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            pieces = Pieces(data, name)
            image = Image.open(pieces, formats=FORMATS)
            pieces.allow_pixels()
            return image
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: its header claims a gigantic size; make the image smaller") from None
    except UnidentifiedImageError:
        seen = "an empty file" if not data else f"bytes that begin with {data[:8]!r}"
        raise ImageError(f"{name}: {seen}, not an image; accepted: {', '.join(FORMATS)}") from None
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: too little memory to open it; make the image smaller") from None
    except Exception as error:
        raise _damaged(name, error) from None


def _damaged(name: str, error: Exception) -> ImageError:
    reason = type(error).__name__
    return ImageError(f"{name}: truncated or damaged ({reason} while decoding); replace the file")


def _header(image: Image.Image) -> ImageHeader:
    # A phone's JPEG with a second picture inside is called MPO by Pillow; its first picture is a JPEG.
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    return ImageHeader(kind, image.width, image.height, image.mode)


def _check_bytes(num_bytes: int, limits: Limits, name: str) -> None:
    if num_bytes > limits.megabytes * 1e6:
        raise ImageError(f"{name}: {num_bytes / 1e6:.1f} MB; accepted: up to {limits.megabytes:g} MB")


def _check_size(header: ImageHeader, limits: Limits, name: str) -> None:
    short, long = sorted((header.width, header.height))
    seen = f"{name}: {header.width} x {header.height} pixels; accepted: "
    if short < 1:
        raise ImageError(f"{seen}at least 1 x 1")
    if long > limits.side_pixels:
        raise ImageError(f"{seen}sides up to {limits.side_pixels} pixels")
    if short * long > limits.megapixels * 1e6:
        raise ImageError(f"{seen}up to {limits.megapixels:g} megapixels")
    if long > short * limits.aspect:
        raise ImageError(f"{seen}a longer side of up to {limits.aspect:g} times the shorter one")


def _check_effort(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse what a decoder would go over for minutes; see `effort`."""
    # Pillow's decoder of these is Python: 9 s for 40 megapixels.
    if any(tile.codec_name == "bmp_rle" for tile in getattr(image, "tile", ())):
        raise ImageError(f"{name}: a BMP in run-length code, which is not read; save it as PNG")
    if image.format in ("JPEG", "MPO"):
        megapixels = image.width * image.height / 1e6
        check_scans(data, megapixels, len(image.getbands()), "progressive" in image.info, name)


def _orientation(image: Image.Image) -> int:
    """Give the EXIF orientation, 1 to 8: 1 where there is none, 0 where its block is damaged."""
    if image.format == "JPEG" and not image.info.keys() & {"exif", "xmp"}:
        return 1
    if image.format != "JPEG":  # others may have their EXIF behind the pixels
        image.load()  # before the lock: this is the costly part, and it frees the GIL
    try:
        with _HEADER_LOCK, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF, sound pixels: keep the picture as stored
        return 0


def _is_plain_jpeg(image: Image.Image, orientation: int) -> bool:
    return image.format == "JPEG" and image.mode in ("RGB", "L") and orientation == 1


def _decode_plain_jpeg(data: bytes) -> npt.NDArray[np.uint8] | None:
    """Decode with torchcodec to uint8 (H, W, 3); None where it is not installed, or refuses."""
    decoder = _torchcodec_decoder()
    try:
        return None if decoder is None else decoder(data)
    except Exception:  # Pillow has the last word, and our own message
        return None


@cache
def _torchcodec_decoder() -> Callable[[bytes], npt.NDArray[np.uint8]] | None:
    try:
        from torchcodec.decoders import decode_image  # type: ignore[attr-defined]
    except (ImportError, OSError, RuntimeError):  # no wheel for this machine, or built for another torch
        return None

    def decode_one(data: bytes) -> npt.NDArray[np.uint8]:
        pixels: npt.NDArray[np.uint8] = decode_image(data).permute(1, 2, 0).numpy()
        return pixels

    return decode_one


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")
