from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
from PIL import Image

from cnnlab.data.decode import decode, open_image
from cnnlab.data.heif import is_heif, require_heif
from cnnlab.errors import ImageError

from .conftest import photo


def heic(image: np.ndarray, orientation: int = 1) -> bytes:
    require_heif("tests")
    picture = Image.fromarray(image)
    picture.getexif()[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, "HEIF", quality=95, chroma=444, exif=picture.getexif().tobytes())
    return buffer.getvalue()


def test_heic_is_told_from_avif_and_films_by_its_brand() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "AVIF")
    assert is_heif(heic(photo(8, 8)))
    assert not is_heif(buffer.getvalue())
    assert not is_heif(b"\0\0\0\x18ftypmp42" + bytes(60))
    assert not is_heif(b"")


def test_a_phones_turned_picture_is_upright_once() -> None:
    image = photo(24, 40)
    with open_image(heic(image, orientation=6)) as opened:
        pixels = opened.pixels()
        assert (opened.height, opened.width) == pixels.shape[:2] == (40, 24)
    assert np.abs(pixels.astype(int) - np.rot90(image, -1)).max() < 12


def test_without_pillow_heif_the_file_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(photo(8, 8))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"^IMG_1\.HEIC: a HEIC picture.*pip install 'cnnlab\[heic\]'"):
        decode(data, name="IMG_1.HEIC")
