"""HEIC, as phones take it: read by pillow-heif, which is an extra, as its wheels carry an encoder under the GPL."""

from __future__ import annotations

import importlib.util
from functools import cache

from cnnlab.errors import ImageError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


def is_heif(data: bytes) -> bool:
    """Whether the bytes of a file begin as a HEIC picture does; one in AVIF, which begins alike, is none."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS and b"avif" not in data[8:64]


def require_heif(name: str) -> None:
    """Make Pillow able to open HEIC; raises `ImageError`, naming the file `name`, where pillow-heif is missing."""
    if importlib.util.find_spec("pillow_heif") is None:
        raise ImageError(
            f"{name}: a HEIC picture, which pillow-heif reads; install it (pip install 'cnnlab[heic]'), or save it as "
            "JPEG"
        )
    _register()


@cache
def _register() -> None:
    import pillow_heif

    # One thread for a picture, as pictures have threads of their own; and only the picture itself.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
