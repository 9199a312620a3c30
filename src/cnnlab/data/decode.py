"""The only decoder: image bytes in, RGB pixels out, whoever asks (train, evaluate, explain, serve).

What every kind of image becomes:

- JPEG, PNG, WebP, BMP, GIF, AVIF and TIFF (`tiff.py`) are read, HEIC where pillow-heif is installed (`heif.py`); of
  an animation the first frame, of several pages the first. Nothing else is opened.
- The EXIF orientation is applied; a damaged EXIF block is ignored. Colour profiles (ICC) are ignored.
- Grey, 1-bit and palette images are spread over three channels.
- Transparency (an alpha channel, or a transparent colour) is composited over white.
- A file that makes more work than a picture can need is refused (`effort.py`), and so is run-length-coded BMP.
- CMYK becomes RGB as Pillow does it, with Adobe's inverted values turned round.
- 16-bit values keep their high byte (`value >> 8`), for grey and colour alike: scaled, never clipped.
- A JPEG of over 40 megapixels is shrunk while it is decoded, to half or less of its sides.

Pillow reads every header and decodes everything but JPEGs, which simplejpeg decodes to the same bytes in less time
(`jpeg.py`). What that finds wrong, Pillow judges; where it can read the photo all the same, it is named as damaged.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from cnnlab.data.damage import Damaged
from cnnlab.data.effort import Pieces, check_scans
from cnnlab.data.heif import is_heif, require_heif
from cnnlab.data.jpeg import decode_jpeg
from cnnlab.data.tiff import check_directory, check_mode, high_byte, is_tiff
from cnnlab.errors import ImageError
from cnnlab.text import printable as printable

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF", "TIFF", "HEIF")
"""The formats that are opened, by Pillow's names; any other is refused. HEIF needs pillow-heif."""

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"),
    *(".avif", ".tif", ".tiff", ".heic", ".heif", ".hif"),
)
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
_DAMAGE_LETTERS = 120
_HEADER_LOCK = threading.Lock()
_JPEG = ("JPEG", "MPO")  # a phone's JPEG with a second picture inside is called MPO by Pillow
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # pictures have threads of their own
logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it finds wrong, it also raises


@dataclass(frozen=True)
class Limits:
    """How large an image may be; checked on the header, before any pixel is decoded.

    `aspect` is the longer side divided by the shorter one: a 1 x 20000 strip would become gigantic
    when its shorter side is resized. A 1 x 1 image is accepted. Beyond 179 megapixels Pillow itself
    refuses, whatever the limits.

    A JPEG may have `jpeg_megapixels`; what it has beyond `whole_megapixels` is never decoded, as it is shrunk.
    """

    megapixels: float = 50.0
    jpeg_megapixels: float = 120.0
    whole_megapixels: float = 40.0
    megabytes: float = 50.0
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
    """An image whose header was read and lies within the limits; `width` and `height` are upright, in pixels.

    `damage` says what is wrong with it once its pixels were decoded; None where nothing is, or is known.
    """

    def __init__(self, image: Image.Image, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        self._image, self._data = image, data
        self._orientation = _orientation(image)
        self._shrunk = _shrink_to(image.width * image.height, limits.whole_megapixels) if image.format in _JPEG else 1
        sides = [-(-side // self._shrunk) for side in image.size]
        self.width, self.height = sides[::-1] if self._orientation in _SIDEWAYS else sides
        self.damage: str | None = None

    @property
    def is_baseline_jpeg(self) -> bool:
        """Whether it is an upright grey or colour JPEG in one pass, the kind that a GPU's decoder takes."""
        image = self._image
        plain = image.format == "JPEG" and image.mode in ("RGB", "L") and self._orientation == 1
        return plain and self._shrunk == 1 and "progressive" not in image.info

    def pixels(self, shrink: int = 1) -> npt.NDArray[np.uint8]:
        """Decode to RGB uint8 (H, W, 3), once; `shrink` 2, 4 or 8 divides both sides, rounded up, of a JPEG.

        Shrinking leaves coefficients of the JPEG out, which costs less time than decoding them; other
        formats come whole, so look at the shape.
        """
        image, shrink = self._image, min(8, shrink * self._shrunk)
        turn = _UPRIGHT.get(self._orientation)
        if image.format in _JPEG and shrink > 1:
            image.draft(None, (image.width // shrink, image.height // shrink))
        if image.format in _JPEG and image.mode in ("RGB", "L"):
            try:
                pixels = decode_jpeg(self._data, image.height, image.width)
                return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))
            except ValueError as error:
                self.damage = str(error)[:_DAMAGE_LETTERS]
        # Copied, because Pillow's own buffer is read-only and torch wants to write.
        return np.array(_to_rgb(image if turn is None else image.transpose(turn)), dtype=np.uint8)


def _shrink_to(num_pixels: int, megapixels: float) -> int:
    """Give the smallest of 1, 2, 4 and 8 by which both sides have to be divided to leave so many pixels."""
    return next((each for each in (1, 2, 4) if num_pixels <= megapixels * 1e6 * each**2), 8)


@contextmanager
def open_image(
    data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image", damaged: Damaged | None = None
) -> Iterator[OpenImage]:
    """Read the header of one image, check it, and give the image to decode within the `with` block.

    An image that is damaged, but can be read, is added to `damaged`.

    Raises `ImageError`, naming `name` and the reason, when the image is of another format, damaged,
    truncated, or beyond `limits`; also for what goes wrong with it inside the block.
    """
    _check_bytes(len(data), limits, name)
    try:
        with _open(data, name) as image:
            _check_size(_header(image), limits, name)
            _check_effort(image, data, name)
            opened = OpenImage(image, data, limits)
            _check_size(_header(image), limits, name)  # once more: a container's header may say another size
            yield opened
            if damaged is not None and opened.damage is not None:
                damaged.add(name, opened.damage)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: too little memory to decode it; make the image smaller") from None
    except Exception as error:
        # Pillow's decoders raise a dozen kinds (OSError, SyntaxError, ValueError, struct.error, …);
        # their texts may hold addresses or paths, so only the kind is passed on.
        raise _damaged(name, error) from None


def decode(
    data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image", damaged: Damaged | None = None
) -> npt.NDArray[np.uint8]:
    """Decode one image to RGB uint8 (H, W, 3), upright; the conversions are listed above.

    An image that is damaged, but can be read, is added to `damaged`.

    Raises `ImageError`, naming `name` and the reason, when the image is of another format, damaged,
    truncated, or beyond `limits`.
    """
    with open_image(data, limits, name, damaged) as image:
        return image.pixels()


def decode_file(
    path: Path, limits: Limits = DEFAULT_LIMITS, name: str | None = None, damaged: Damaged | None = None
) -> npt.NDArray[np.uint8]:
    """Decode the image file `path` to RGB uint8 (H, W, 3); see `decode`.

    Raises `ImageError`, naming `name` (or the path), also for anything that is not a regular file: a
    FIFO or a device is never read from.
    """
    shown = name or printable(str(path))
    return decode(read_image_file(path, limits, shown), limits, shown, damaged)


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
            if is_heif(data):
                require_heif(name)
            if is_tiff(data):
                check_directory(data, name)
            pieces = Pieces(data, name)
            # Pillow fails on a format that nothing has registered yet, and HEIF is registered for the first HEIC.
            image = Image.open(pieces, formats=FORMATS if is_heif(data) else FORMATS[:-1])
            pieces.allow_pixels()
            return image
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: its header claims a gigantic size; make the image smaller") from None
    except UnidentifiedImageError:
        raise _no_image(name, data) from None
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: too little memory to open it; make the image smaller") from None
    except Exception as error:
        raise _damaged(name, error) from None


def _no_image(name: str, data: bytes) -> ImageError:
    if data.startswith(b"version https://git-lfs"):
        return ImageError(f"{name}: a pointer of Git LFS in place of the image; fetch the images: git lfs pull")
    if is_heif(data):
        return ImageError(f"{name}: a HEIC picture that is truncated or damaged; replace the file")
    page = data[:100].lstrip().lower().startswith((b"<!doctype html", b"<html"))
    seen = f"bytes that begin with {data[:8]!r}" if data else "an empty file"
    shown = "a web page, as of a download that failed" if page else seen
    return ImageError(f"{name}: {shown}, not an image; accepted: {', '.join(FORMATS)}")


def _damaged(name: str, error: Exception) -> ImageError:
    reason = type(error).__name__
    return ImageError(f"{name}: truncated or damaged ({reason} while decoding); replace the file")


def _header(image: Image.Image) -> ImageHeader:
    kind = "JPEG" if image.format in _JPEG else str(image.format)
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
    most = limits.jpeg_megapixels if header.format == "JPEG" else limits.megapixels
    if short * long > most * 1e6:
        raise ImageError(f"{seen}up to {most:g} megapixels")
    if long > short * limits.aspect:
        raise ImageError(f"{seen}a longer side of up to {limits.aspect:g} times the shorter one")


def _check_effort(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse what a decoder would go over for minutes; see `effort`."""
    # Pillow's decoder of these is Python: 9 s for 40 megapixels.
    if any(tile.codec_name == "bmp_rle" for tile in getattr(image, "tile", ())):
        raise ImageError(f"{name}: a BMP in run-length code, which is not read; save it as PNG")
    if image.format == "TIFF":
        check_mode(image, name)
    if image.format in _JPEG:
        megapixels = image.width * image.height / 1e6
        check_scans(data, megapixels, len(image.getbands()), "progressive" in image.info, name)


def _orientation(image: Image.Image) -> int:
    """Give the EXIF orientation, 1 to 8: 1 where there is none, 0 where its block is damaged."""
    if image.format in _JPEG and not image.info.keys() & {"exif", "xmp"}:
        return 1
    if image.format not in _JPEG:  # others may have their EXIF behind the pixels
        image.load()  # before the lock: this is the costly part, and it frees the GIL
    try:
        with _HEADER_LOCK, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF, sound pixels: keep the picture as stored
        return 0


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return high_byte(image).convert("RGB")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")
