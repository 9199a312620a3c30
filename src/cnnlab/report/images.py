"""Images inside a page: small pictures as data URIs."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL_PIXELS = 128  # the longer side of a photo in a gallery
PNG_PIXELS = 64  # up to this side lossless, above it JPEG: a tenth of the bytes


def thumbnail(image: npt.NDArray[np.uint8]) -> str:
    """A data URI of an image uint8 (H, W, 3) or (H, W, 1), its longer side at most 128 pixels."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    picture.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    kind = "png" if max(picture.size) <= PNG_PIXELS else "jpeg"
    file = io.BytesIO()
    picture.save(file, kind, **({"optimize": True} if kind == "png" else {"quality": 85}))
    return data_uri(file.getvalue(), f"image/{kind}")


def picture_file(path: Path) -> str:
    """A data URI of a PNG file as it is."""
    return data_uri(path.read_bytes(), "image/png")


def data_uri(data: bytes, kind: str) -> str:
    """The bytes of a picture of this MIME type as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
