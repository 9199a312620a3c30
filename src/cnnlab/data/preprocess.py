"""The only resize, crop and normalisation: train, evaluate, explain, export and serve all come here."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from cnnlab.data.whitening import contrast_norm_for, measure_whitening, normalise_contrast, whiten
from cnnlab.errors import ImageError, UsageError
from cnnlab.types import Interpolation, Preprocess

Normalisation = Literal["channel", "pixel_mean", "gcn", "gcn_zca"]
_CHUNK_IMAGES = 1000
_RESAMPLING = {
    Interpolation.NEAREST: Image.Resampling.NEAREST,
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.BICUBIC: Image.Resampling.BICUBIC,
    Interpolation.AREA: Image.Resampling.BOX,
}


def resize_and_crop(image: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Resize the shorter side of `image` (H, W, 3) and cut the centre out, uint8 (h, w, 3).

    Antialiased (Pillow), sizes and offsets rounded as torchvision's Resize and CenterCrop do.
    Raises `ImageError` when the image is smaller than the crop.
    """
    if preprocess.resize_pixels is not None:
        image = resize_shorter(image, preprocess.resize_pixels, preprocess.interpolation)
    if preprocess.crop_pixels is not None:
        image = crop(image, preprocess.crop_pixels)
    return image


def prepare(image: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Make an RGB image (H, W, 3) ready to stack and `normalise`: uint8 (C, h, w).

    A network whose `mean` has one number sees grey: luma by ITU-R 601, as Pillow computes it.
    """
    image = to_channels(resize_and_crop(image, preprocess), len(preprocess.mean))
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def resize_shorter(image: npt.NDArray[np.uint8], pixels: int, how: Interpolation) -> npt.NDArray[np.uint8]:
    """Bring the shorter side of `image` (H, W, C) to `pixels`, the longer one in proportion, rounded down."""
    height, width = image.shape[:2]
    short, long = min(height, width), int(pixels * max(height, width) / min(height, width))
    if short == pixels:
        return image
    return resize(image, *((long, pixels) if width <= height else (pixels, long)), how)


def resize(image: npt.NDArray[np.uint8], height: int, width: int, how: Interpolation) -> npt.NDArray[np.uint8]:
    """Bring `image` (H, W, C) to height x width, antialiased (Pillow); each channel by itself."""
    if image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize((width, height), _RESAMPLING[how]))
    planes = (Image.fromarray(np.ascontiguousarray(plane)) for plane in image.transpose(2, 0, 1))
    return np.stack([np.asarray(plane.resize((width, height), _RESAMPLING[how])) for plane in planes], axis=2)


def resize_fast(
    image: npt.NDArray[np.uint8], height: int, width: int, how: Interpolation = Interpolation.BILINEAR
) -> npt.NDArray[np.uint8]:
    """Do what `resize` does in half the time, for training: by torch, within 1 of 255 of Pillow where bilinear.

    `image` (H, W, C) may be a view; it must be writable.
    """
    if image.shape[:2] == (height, width):
        return image
    if how not in (Interpolation.BILINEAR, Interpolation.BICUBIC):
        return resize(image, height, width, how)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = F.interpolate(planes, (height, width), mode=how.value, antialias=True, align_corners=False)
    return resized[0].permute(1, 2, 0).numpy()


def crop(image: npt.NDArray[np.uint8], pixels: int, down: float = 0.5, right: float = 0.5) -> npt.NDArray[np.uint8]:
    """Cut a square of `pixels` out of `image` (H, W, C), the centre unless told otherwise.

    `down` and `right` are shares of the way from the top left (0) to the bottom right (1); offsets are rounded
    as torchvision's CenterCrop does. Raises `ImageError` when the image is smaller than the crop.
    """
    height, width = image.shape[:2]
    if min(height, width) < pixels:
        raise ImageError(
            f"an image of {width} x {height} pixels cannot be cropped to {pixels} x {pixels}; "
            f"give a larger image, or a preprocessing that resizes first"
        )
    top, left = round((height - pixels) * down), round((width - pixels) * right)
    return image[top : top + pixels, left : left + pixels]


def to_channels(image: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """Make an RGB image (H, W, 3) grey, (H, W, 1), where `channels` is 1; any other is given back as it is."""
    if channels != 1 or image.shape[2] != 3:
        return image
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).convert("L"))[:, :, None]


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Turn images (N, C, H, W), uint8 or float32 in 0 to 255, into a network's input: float32, same shape.

    The result lies in memory as channels_last. Raises `UsageError` when C is not that of `preprocess`.
    """
    channels = len(preprocess.mean)
    if images.shape[1] != channels:
        raise UsageError(f"images have {images.shape[1]} channels, the preprocessing has {channels}")
    if preprocess.bgr:
        images = images.flip(1)
    if preprocess.pad_pixels:
        images = F.pad(images, (preprocess.pad_pixels,) * 4)
    values = images.to(dtype=torch.float32, memory_format=torch.channels_last)
    if preprocess.contrast_norm is not None:
        values = normalise_contrast(values, preprocess.contrast_norm)
    if preprocess.whitening is not None:
        return whiten(values, preprocess.whitening)
    scale, shift = _scale_and_shift(preprocess, tuple(images.shape[1:]), images.device)
    values = values.clone() if values is images else values  # float images come as they are: not ours to change
    return values.mul_(scale).add_(shift)


def measure(images: Tensor, kind: Normalisation = "channel") -> Preprocess:
    """Measure the preprocessing of a training set, uint8 (N, C, H, W), in float64.

    "channel": the mean and deviation of each channel. "pixel_mean": the mean image is subtracted and
    nothing divided (AlexNet section 2; ResNet section 4.2). "gcn": each image's contrast is normalised
    (Highway); "gcn_zca": and the images are whitened (maxout, Network in Network). The images' own size is
    kept, so that a photo given to the trained network is brought to it.
    """
    if len(images) == 0:
        raise UsageError("no images to measure the mean of; give a training part with images")
    _, channels, height, width = images.shape
    if kind in ("gcn", "gcn_zca"):
        return _measure_contrast(images, whitened=kind == "gcn_zca")
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


def _measure_contrast(images: Tensor, whitened: bool) -> Preprocess:
    channels, height, width = images.shape[1:]
    norm = contrast_norm_for(images[0].numel())
    whitening = measure_whitening(images, norm) if whitened else None
    pixels = height if height == width else None
    as_it_is = (0.0,) * channels, (1.0,) * channels
    return Preprocess(pixels, pixels, *as_it_is, contrast_norm=norm, whitening=whitening)


# (x / 255 - mean) / std as one multiplication and one addition, made once for a network and a device.
# Written out along the width: numbers that lie side by side as the pixels do cost a fifth of broadcast ones.
@lru_cache(maxsize=16)
def _scale_and_shift(preprocess: Preprocess, shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):
        std = torch.tensor(preprocess.std, dtype=torch.float64).view(1, -1, 1, 1)
        mean = torch.tensor(preprocess.mean, dtype=torch.float64).view(1, -1, 1, 1)
        if preprocess.mean_image is not None:
            mean = _mean_image(preprocess.mean_image, shape)
        unit = 255 if preprocess.contrast_norm is None else 1
        return _laid_out(1 / (unit * std), shape, device), _laid_out(-mean / std, shape, device)


def _laid_out(values: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
    wide = values.expand(-1, -1, -1, shape[-1]).to(device, torch.float32)
    return wide.contiguous(memory_format=torch.channels_last)


def _mean_image(values: tuple[float, ...], shape: tuple[int, ...]) -> Tensor:
    if len(values) != int(np.prod(shape)):
        raise UsageError(f"the mean image has {len(values)} numbers; images of shape {shape} need as many")
    return torch.tensor(values, dtype=torch.float64).view(1, *shape)
