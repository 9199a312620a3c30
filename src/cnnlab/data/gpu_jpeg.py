"""JPEGs decoded, cropped and resized on the GPU: by nvJPEG, which torchcodec brings, a batch at a time.

Headers are read on the CPU first, under the limits of `decode`; whatever is not a plain JPEG, or is refused, is left to
the CPU. nvJPEG rounds otherwise than the CPU's decoder, so pixels differ by a few of 255, and by more where the CPU
shrinks a large photo while it decodes it: what is trained one way is not bit-equal to the other.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cnnlab.data.crops import Crop, Cut, Floats, place
from cnnlab.data.decode import open_image
from cnnlab.types import Interpolation

_SMOOTH = (Interpolation.BILINEAR, Interpolation.BICUBIC)


@dataclass(frozen=True)
class PlainJpeg:
    """The bytes of a JPEG that a GPU can decode, and what is to be cut out of it: a square of `pixels`."""

    data: bytes
    cut: Cut
    pixels: int


def plain_jpeg(data: bytes, name: str, crop: Crop, numbers: Floats) -> PlainJpeg | None:
    """A photo of bytes `data` and its crop by the random `numbers`, for a GPU; None where the CPU has to read it.

    Raises `ImageError`, with `name`, where its header says that nothing should.
    """
    with open_image(data, name=name) as image:
        cut = place(crop, image.width, image.height, numbers)
        return PlainJpeg(data, cut, crop.pixels) if image.is_baseline_jpeg and cut.how in _SMOOTH else None


def cut_jpegs(jpegs: Sequence[PlainJpeg], device: torch.device) -> list[Tensor]:
    """Decode photos together on `device` and cut the crop out of each: uint8 (3, pixels, pixels).

    Raises `RuntimeError` where one of them cannot be decoded; it does not say which.
    """
    from torchcodec.decoders import decode_jpeg  # type: ignore[attr-defined]

    decoded = decode_jpeg([each.data for each in jpegs], mode="RGB", device=device)
    return [_cut_out(planes, each) for planes, each in zip(decoded, jpegs, strict=True)]


def _cut_out(planes: Tensor, jpeg: PlainJpeg) -> Tensor:
    cut = jpeg.cut
    planes = planes[:, cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
    size = (cut.resized_height, cut.resized_width)
    if planes.shape[1:] != size:
        floats = planes[None].float()
        floats = F.interpolate(floats, size, mode=cut.how.value, antialias=True, align_corners=False)
        planes = floats[0].round_().clamp_(0, 255).to(torch.uint8)
    return planes[:, cut.y : cut.y + jpeg.pixels, cut.x : cut.x + jpeg.pixels]


def why_not(device: torch.device) -> str | None:
    """Why JPEGs cannot be decoded on `device`, in words; None where they can."""
    if device.type != "cuda":
        return f"{device} is no CUDA device"
    try:
        from torchcodec.decoders import decode_jpeg  # type: ignore[attr-defined]

        decode_jpeg([_smallest_jpeg()], mode="RGB", device=device)
    except (ImportError, OSError, RuntimeError) as error:
        return str(error).partition("\n")[0]
    return None


def _smallest_jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()
