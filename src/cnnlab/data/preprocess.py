"""The only resize, crop and normalisation: train, evaluate, explain, export and serve all come here."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from cnnlab.errors import ImageError, UsageError
from cnnlab.types import Interpolation, Preprocess

_CHUNK_IMAGES = 1000
_RESAMPLING = {
    Interpolation.NEAREST: Image.Resampling.NEAREST,
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
}


def resize_and_crop(image: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Resize the shorter side of `image` (H, W, 3) and cut the centre out, uint8 (h, w, 3).

    Antialiased (Pillow), sizes and offsets rounded as torchvision's Resize and CenterCrop do.
    Raises `ImageError` when the image is smaller than the crop.
    """
    if preprocess.resize_pixels is not None:
        image = _resize(image, preprocess.resize_pixels, preprocess.interpolation)
    if preprocess.crop_pixels is not None:
        image = _centre_crop(image, preprocess.crop_pixels)
    return image


def prepare(image: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Make an RGB image (H, W, 3) ready to stack and `normalise`: uint8 (C, h, w).

    A network whose `mean` has one number sees grey: luma by ITU-R 601, as Pillow computes it.
    """
    image = resize_and_crop(image, preprocess)
    if len(preprocess.mean) == 1:
        image = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Turn uint8 images (N, C, H, W) into a network's input: float32, same shape and device.

    The result lies in memory as channels_last. Raises `UsageError` when C is not that of `preprocess`.
    """
    channels = len(preprocess.mean)
    if images.shape[1] != channels:
        raise UsageError(f"images have {images.shape[1]} channels, the preprocessing has {channels}")
    scale, shift = _scale_and_shift(preprocess, tuple(images.shape[1:]), images.device)
    values = images.to(dtype=torch.float32, memory_format=torch.channels_last)
    return values.mul_(scale).add_(shift)


def measure(images: Tensor, kind: Literal["channel", "pixel_mean"] = "channel") -> Preprocess:
    """Measure the preprocessing of a training set, uint8 (N, C, H, W), in float64.

    "channel": the mean and deviation of each channel. "pixel_mean": the mean image is subtracted and
    nothing divided (AlexNet section 2; ResNet section 4.2). The images' own size is kept, so that a
    photo given to the trained network is brought to it.
    """
    if len(images) == 0:
        raise UsageError("no images to measure the mean of; give a training part with images")
    _, channels, height, width = images.shape
    total = torch.zeros(channels, height, width, dtype=torch.float64, device=images.device)
    squares = torch.zeros_like(total)
    for chunk in torch.split(images, _CHUNK_IMAGES):
        values = chunk.to(torch.float64)
        total += values.sum(0)
        squares += values.square_().sum(0)
    mean_image = total / (255 * len(images))
    mean = mean_image.mean((1, 2))
    deviation = (squares.mean((1, 2)) / (255**2 * len(images)) - mean**2).clamp(min=0).sqrt()
    pixels = height if height == width else None
    if kind == "pixel_mean":
        flat = tuple(mean_image.flatten().tolist())
        return Preprocess(pixels, pixels, tuple(mean.tolist()), (1.0,) * channels, mean_image=flat)
    std = tuple(value or 1.0 for value in deviation.tolist())  # a constant channel: nothing to divide by
    return Preprocess(pixels, pixels, tuple(mean.tolist()), std)


def _resize(image: npt.NDArray[np.uint8], pixels: int, how: Interpolation) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    short, long = min(height, width), int(pixels * max(height, width) / min(height, width))
    if short == pixels:
        return image
    size = (pixels, long) if width <= height else (long, pixels)
    return np.asarray(Image.fromarray(image).resize(size, _RESAMPLING[how]))


def _centre_crop(image: npt.NDArray[np.uint8], pixels: int) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    if min(height, width) < pixels:
        raise ImageError(
            f"an image of {width} x {height} pixels cannot be cropped to {pixels} x {pixels}; "
            f"give a larger image, or a preprocessing that resizes first"
        )
    top, left = round((height - pixels) / 2), round((width - pixels) / 2)
    return image[top : top + pixels, left : left + pixels]


# (x / 255 - mean) / std as one multiplication and one addition, made once for a network and a device.
# Written out along the width: numbers that lie side by side as the pixels do cost a fifth of broadcast ones.
@lru_cache(maxsize=16)
def _scale_and_shift(preprocess: Preprocess, shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):
        std = torch.tensor(preprocess.std, dtype=torch.float64).view(1, -1, 1, 1)
        mean = torch.tensor(preprocess.mean, dtype=torch.float64).view(1, -1, 1, 1)
        if preprocess.mean_image is not None:
            mean = _mean_image(preprocess.mean_image, shape)
        return _laid_out(1 / (255 * std), shape, device), _laid_out(-mean / std, shape, device)


def _laid_out(values: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
    wide = values.expand(-1, -1, -1, shape[-1]).to(device, torch.float32)
    return wide.contiguous(memory_format=torch.channels_last)


def _mean_image(values: tuple[float, ...], shape: tuple[int, ...]) -> Tensor:
    if len(values) != int(np.prod(shape)):
        raise UsageError(f"the mean image has {len(values)} numbers; images of shape {shape} need as many")
    return torch.tensor(values, dtype=torch.float64).view(1, *shape)
