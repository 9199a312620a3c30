"""JPEGs decoded by libjpeg-turbo with its warnings raised, which it would print without a name, and tolerate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]


def decode_jpeg(data: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Decode a grey or colour JPEG to RGB uint8 (height, width, 3), not turned upright.

    `height` and `width` are those of its header, or a half, a quarter or an eighth of them, rounded up: the decoder
    then leaves coefficients out. The pixels are those that Pillow gives.

    Raises `ValueError`, with the decoder's own words, where anything in the file is not as it should be.
    """
    pixels = np.empty((height, width, 3), np.uint8)  # given, so that the file cannot ask for more
    decoded = simplejpeg.decode_jpeg(
        data, "RGB", min_height=height, min_width=width, buffer=pixels.reshape(-1), strict=True
    )
    if decoded.shape != pixels.shape:
        raise ValueError(f"{decoded.shape[1]} x {decoded.shape[0]} pixels, where its header says {width} x {height}")
    return pixels
