"""Rotation, erasing, cutout of images, uint8 or float32 (N, C, H, W): functions of (seed, epoch, index)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.data.crops import RandomArea, crop_numbers, place
from cnnlab.data.sampler import Indices, generator, uniforms

_ANGLE_STREAM, _ERASE_STREAM, _VALUE_STREAM, _RECTANGLE_STREAM = 320, 321, 322, 400
_ROW_STREAM, _COLUMN_STREAM = 323, 324


def angles(seed: int, epoch: int, indices: Indices, degrees: float) -> Tensor:
    """Draw each image's angle, uniform in +- `degrees`: float32 (N,)."""
    return torch.from_numpy((2 * uniforms(seed, epoch, indices, _ANGLE_STREAM) - 1) * degrees).float()


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image counterclockwise about its centre by its `degrees` (N,), bilinear.

    What comes in from outside is 0: black, or the mean colour of normalised images.
    """
    height, width = images.shape[2:]
    radians = torch.deg2rad(degrees).to(images.device)
    cos, sin, none = radians.cos(), radians.sin(), torch.zeros_like(radians)
    rows = (torch.stack([cos, -sin * height / width, none], 1), torch.stack([sin * width / height, cos, none], 1))
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    turned = F.grid_sample(images.float(), grid, align_corners=False)
    return turned.round_().to(images.dtype) if images.dtype == torch.uint8 else turned


def erase(
    images: Tensor,
    seed: int,
    epoch: int,
    indices: Indices,
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 10 / 3),
) -> Tensor:
    """Overwrite a random rectangle of some images with noise; `area` is its share, `aspect` width / height.

    Zhong et al. 2017 (arXiv:1708.04896), algorithm 1, with random values: uniform for uint8, N(0, 1) for
    normalised images. Aspect is log-uniform, as in torchvision, so that tall and wide are alike.
    """
    images = images.clone()
    rectangle = RandomArea(1, area, aspect)
    numbers = crop_numbers(seed, epoch, indices, _RECTANGLE_STREAM)
    height, width = images.shape[2:]
    for i in np.flatnonzero(uniforms(seed, epoch, indices, _ERASE_STREAM) < probability):
        cut = place(rectangle, width, height, numbers[i])
        target = images[i, :, cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
        random = generator(seed, epoch, indices[i], _VALUE_STREAM, images.device)
        if images.dtype == torch.uint8:
            target.random_(0, 256, generator=random)
        else:
            target.normal_(generator=random)
    return images


def centres(seed: int, epoch: int, indices: Indices) -> npt.NDArray[np.float32]:
    """Draw where each image's square has its centre, as shares of height and width: float32 (2, N) in [0, 1]."""
    drawn = [uniforms(seed, epoch, indices, stream) for stream in (_ROW_STREAM, _COLUMN_STREAM)]
    return np.stack(drawn).astype(np.float32)  # not every device computes in float64


def cut_out(images: Tensor, centres: Tensor, pixels: int) -> Tensor:
    """Set a square of `pixels` about each image's centre (2, N) to 0: black, or the mean of normalised images.

    A part of the square may be outside the image. DeVries and Taylor 2017 (arXiv:1708.04552), section 3.
    """
    rows, columns = (_covered(share, side, pixels) for share, side in zip(centres, images.shape[2:], strict=True))
    return images.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0)


def _covered(share: Tensor, side: int, pixels: int) -> Tensor:
    """Which of `side` places are within `pixels` about each centre: bool (N, side)."""
    first = (share * side).long().clamp(max=side - 1) - pixels // 2  # rounding can take a share to 1
    places = torch.arange(side, device=share.device) - first[:, None]
    return (places >= 0) & (places < pixels)
