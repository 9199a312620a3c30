from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cnnlab.data.jpeg import decode_jpeg

from .conftest import jpeg, photo


@pytest.mark.parametrize("shrink", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (123, 201)])
def test_pixels_are_those_of_pillow_at_every_scale(size: tuple[int, int], shrink: int) -> None:
    data = jpeg(photo(*size))
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (max(1, image.width // shrink), max(1, image.height // shrink)))
        expected = np.asarray(image)
    assert np.array_equal(decode_jpeg(data, *expected.shape[:2]), expected)


def test_what_the_decoder_would_print_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    data = jpeg(photo(40, 60))
    with pytest.raises(ValueError, match=r"Corrupt JPEG data: [0-9]+ extraneous bytes"):
        decode_jpeg(data[:-2] + bytes(99) + data[-2:], 40, 60)
    assert capfd.readouterr() == ("", "")


def test_a_file_cannot_ask_for_more_memory_than_its_header_said() -> None:
    data = jpeg(photo(40, 60))
    frame = data.index(b"\xff\xc0")
    larger = data[: frame + 5] + struct.pack(">HH", 60_000, 60_000) + data[frame + 9 :]
    with pytest.raises(ValueError, match="buffer"):
        decode_jpeg(larger, 40, 60)
