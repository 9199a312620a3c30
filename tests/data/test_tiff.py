from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cnnlab.data.decode import decode
from cnnlab.data.tiff import check_directory, is_tiff
from cnnlab.errors import ImageError

from .conftest import photo


def tiff(image: np.ndarray | Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, "TIFF", **options)
    return buffer.getvalue()


def directory(*fields: tuple[int, int, int, int], size: int = 1_000) -> bytes:
    """A little-endian TIFF of (tag, kind, count, value) alone."""
    packed = b"".join(struct.pack("<HHII", *field) for field in fields)
    return (b"II*\0" + struct.pack("<IH", 8, len(fields)) + packed).ljust(size, b"\0")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_the_usual_kinds_are_read(compression: str, mode: str) -> None:
    picture = Image.fromarray(photo(24, 40)).convert(mode)
    assert np.array_equal(decode(tiff(picture, compression=compression)), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("big", [False, True])
def test_of_several_pages_the_first_is_read(big: bool) -> None:
    pages = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    assert (decode(tiff(pages[0], save_all=True, append_images=pages[1:], big_tiff=big)) == (255, 0, 0)).all()


def test_16_bits_are_scaled_whichever_end_is_white() -> None:
    values = np.arange(0, 65_536, 8_192, dtype=np.uint16).reshape(2, 4)
    grey = np.repeat((values >> 8)[:, :, None], 3, 2)
    assert np.array_equal(decode(tiff(values)), grey)
    assert np.array_equal(decode(tiff(values, tiffinfo={262: 0})), 255 - grey)


@pytest.mark.parametrize(("kind", "said"), [(np.float32, "floating-point values"), (np.int32, "values of 32 bits")])
def test_values_without_an_agreed_white_are_refused(kind: type, said: str) -> None:
    with pytest.raises(ImageError, match=f"^it: a TIFF of {said}, which are not read; save it as PNG"):
        decode(tiff(np.ones((4, 4), kind)), name="it")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([(40_000, 1, 900, 0), (40_001, 1, 900, 0)], "claims more bytes than the file has"),
        ([(273, 4, 60_000, 0)], "60,000 strips or tiles; accepted: up to 50,000"),
        ([(322, 4, 1, 60_000)], "tiles of 60,000 pixels; accepted: up to 4,096"),
        ([(259, 3, 1, 34_712)], "compression 34712, which is not read"),
    ],
)
def test_a_directory_that_claims_too_much_is_refused_unread(fields: list[tuple[int, int, int, int]], said: str) -> None:
    data = directory(*fields, size=300_000 if fields[0][0] == 273 else 1_000)
    assert is_tiff(data)
    with pytest.raises(ImageError, match=f"^it: a TIFF.*{said}"):
        check_directory(data, "it")


def test_a_directory_that_is_cut_off_is_refused() -> None:
    for data in (b"II*\0", b"MM\0*\0\0\0\x08", directory((256, 3, 1, 4))[:15], b"II+\0" + bytes(4)):
        with pytest.raises(ImageError, match="cut off"):
            check_directory(data, "it")
