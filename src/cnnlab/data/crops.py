"""Training crops of photos of any size: which rectangle is cut out, and how it becomes a square of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlab.data.decode import OpenImage
from cnnlab.data.preprocess import resize_fast
from cnnlab.data.sampler import uniforms
from cnnlab.errors import UsageError
from cnnlab.types import Interpolation

Floats = npt.NDArray[np.float64]

_STREAM = 200
_TRIES = 10  # as torchvision; photos so long that none fits are rare
_NUMBERS = 2 * _TRIES + 3
_SHRINKS = (8, 4, 2)


@dataclass(frozen=True)
class RandomArea:
    """Cut a random share of the area, of random aspect (width / height), and resize it to `pixels` squared.

    Area is uniform, aspect log-uniform, place uniform; the way to resize is drawn from `interpolations`.
    Szegedy et al. 2014 (arXiv:1409.4842), section 6; the distribution is torchvision's RandomResizedCrop.
    """

    pixels: int
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    interpolations: tuple[str, ...] = (Interpolation.BILINEAR,)

    def __post_init__(self) -> None:
        if not (self.pixels >= 1 and 0 < self.area[0] <= self.area[1] <= 1 and 0 < self.aspect[0] <= self.aspect[1]):
            raise UsageError(f"{self}; accepted: pixels from 1, rising area within 0 to 1, rising aspect above 0")


@dataclass(frozen=True)
class ScaleJitter:
    """Resize the shorter side to a random whole number in `shorter_side`, then cut `pixels` squared at random.

    Both ends are included; equal ends give a fixed scale. `centre_square` cuts the centre square of the
    resized photo first. VGG (arXiv:1409.1556) section 3.1; ResNet (arXiv:1512.03385) section 3.4;
    AlexNet (2012) section 4.1: (256, 256) of the centre square.
    """

    pixels: int
    shorter_side: tuple[int, int] = (256, 480)
    centre_square: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.pixels <= self.shorter_side[0] <= self.shorter_side[1]:
            raise UsageError(f"{self}; accepted: a rising shorter_side, of at least the crop's pixels")


Crop = RandomArea | ScaleJitter


@dataclass(frozen=True)
class Cut:
    """One crop of one photo, in whole pixels.

    The rectangle (left, top, width, height) of the upright photo is resized to `resized_width` x
    `resized_height`; of that, the square whose corner is (x, y) is kept.
    """

    left: int
    top: int
    width: int
    height: int
    resized_width: int
    resized_height: int
    x: int = 0
    y: int = 0
    how: Interpolation = Interpolation.BILINEAR


def crop_numbers(seed: int, epoch: int, indices: npt.ArrayLike, first_stream: int = _STREAM) -> Floats:
    """Draw the random numbers of the crops of photos `indices` (N,): float64 (N, 23) in [0, 1)."""
    return np.stack([uniforms(seed, epoch, indices, first_stream + i) for i in range(_NUMBERS)], axis=1)


def place(crop: Crop, width: int, height: int, numbers: Floats) -> Cut:
    """Say what `crop` cuts out of a photo of `width` x `height` pixels; `numbers` (23,) decide."""
    if isinstance(crop, ScaleJitter):
        return _place_scaled(crop, width, height, numbers)
    left, top, cut_width, cut_height = _random_area(crop, width, height, numbers)
    how = Interpolation(crop.interpolations[int(numbers[-3] * len(crop.interpolations))])
    return Cut(left, top, cut_width, cut_height, crop.pixels, crop.pixels, how=how)


def take_crop(image: OpenImage, crop: Crop, numbers: Floats) -> npt.NDArray[np.uint8]:
    """Decode `image` and cut `crop` out of it, uint8 (pixels, pixels, 3).

    A JPEG that has at least twice the pixels needed is shrunk while it is decoded, and the rectangle
    moved by less than one of the shrunk pixels.
    """
    cut = place(crop, image.width, image.height, numbers)
    shrink = _shrink(cut)
    pixels = image.pixels(shrink)
    if pixels.shape[:2] == (image.height, image.width):  # not a JPEG, or not shrunk
        shrink = 1
    left, right = round(cut.left / shrink), round((cut.left + cut.width) / shrink)
    top, bottom = round(cut.top / shrink), round((cut.top + cut.height) / shrink)
    resized = resize_fast(pixels[top:bottom, left:right], cut.resized_height, cut.resized_width, cut.how)
    return resized[cut.y : cut.y + crop.pixels, cut.x : cut.x + crop.pixels]


def _random_area(crop: RandomArea, width: int, height: int, numbers: Floats) -> tuple[int, int, int, int]:
    """Give (left, top, width, height): the first try that fits, else the largest centre that has the aspect."""
    low, high = crop.aspect
    areas = width * height * _between(*crop.area, numbers[:_TRIES])
    aspects = np.exp(_between(math.log(low), math.log(high), numbers[_TRIES : 2 * _TRIES]))
    widths, heights = np.rint(np.sqrt(areas * aspects)), np.rint(np.sqrt(areas / aspects))
    fits = np.flatnonzero((widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height))
    if fits.size:
        cut_width, cut_height = int(widths[fits[0]]), int(heights[fits[0]])
        left, top = _corner(width - cut_width, height - cut_height, numbers)
        return left, top, cut_width, cut_height
    cut_width, cut_height = min(width, round(height * high)), min(height, round(width / low))
    return (width - cut_width) // 2, (height - cut_height) // 2, cut_width, cut_height


def _place_scaled(crop: ScaleJitter, width: int, height: int, numbers: Floats) -> Cut:
    smallest, largest = crop.shorter_side
    short = smallest + int(numbers[0] * (largest - smallest + 1))
    long = int(short * max(width, height) / min(width, height))  # rounded as torchvision's Resize does
    wide, high = (short, long) if width <= height else (long, short)
    room = (short, short) if crop.centre_square else (wide, high)
    x, y = _corner(room[0] - crop.pixels, room[1] - crop.pixels, numbers)
    return Cut(0, 0, width, height, wide, high, x + (wide - room[0]) // 2, y + (high - room[1]) // 2)


def _corner(free_width: int, free_height: int, numbers: Floats) -> tuple[int, int]:
    return int(numbers[-2] * (free_width + 1)), int(numbers[-1] * (free_height + 1))


def _between(low: float, high: float, numbers: Floats) -> Floats:
    return low + (high - low) * numbers


def _shrink(cut: Cut) -> int:
    fits = (k for k in _SHRINKS if cut.width >= k * cut.resized_width and cut.height >= k * cut.resized_height)
    return next(fits, 1)
