from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.report.images import THUMBNAIL_PIXELS, data_uri, picture_file, thumbnail


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert head == f"data:image/{image.format.lower()}"
    return image


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_is_kept_to_the_bit(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 28, channels), dtype=np.uint8)
    found = np.asarray(opened(thumbnail(image)))
    assert np.array_equal(found.reshape(image.shape), image)


def test_a_photo_is_made_small_in_its_own_shape() -> None:
    image = np.full((300, 600, 3), (200, 100, 50), np.uint8)
    found = opened(thumbnail(image))
    assert found.size == (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS // 2)
    assert found.format == "JPEG"
    assert np.abs(np.asarray(found).astype(int) - (200, 100, 50)).max() < 8


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (3, 2), "teal").save(path)
    assert picture_file(path) == data_uri(path.read_bytes(), "image/png")
    assert opened(picture_file(path)).size == (3, 2)
