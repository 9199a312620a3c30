"""The nouns that every room shares: plain frozen data, no logic, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

PrecisionName = Literal["auto", "native", "fp32", "bf16", "fp16"]
"""The number format of heavy layers; `native` is bf16 where the device computes with it, `auto` that on a GPU alone."""


class Split(StrEnum):
    """The three parts of a data set; `TEST` is read only to report."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Interpolation(StrEnum):
    """How pixels are made when an image is resized; AREA averages the pixels that fall together."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    AREA = "area"


@dataclass(frozen=True)
class Preprocess:
    """How an RGB uint8 image becomes a network's input; it travels with the weights.

    The shorter side is resized to `resize_pixels` (None: the image is taken as it is), the centre
    `crop_pixels` square is cut out (None: no crop), values are divided by 255, then `mean` is
    subtracted and the result divided by `std` (both per channel, in [0, 1] units). `mean_image`,
    if given, is subtracted in place of `mean`: C*H*W numbers in [0, 1] units, channel first, the
    per-pixel mean of AlexNet and ResNet. `bgr` networks, trained by Caffe, read blue first: their `mean` and
    `std` are in that order, and what Caffe does in units of 0 to 255 is divided by 255 here.

    With `contrast_norm`, in place of the division by 255 each image has its own mean subtracted and is
    scaled to that Euclidean norm (global contrast normalisation). `whitening`, if given, then takes the
    place of mean and deviation: the SHA-256 of a ZCA that lies beside the weights (`data/whitening.py`).
    Before all this, black borders of `pad_pixels` are put on every side (LeNet-5: digits of 28 in 32 pixels).
    """

    resize_pixels: int | None
    crop_pixels: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation = Interpolation.BILINEAR
    mean_image: tuple[float, ...] | None = None
    contrast_norm: float | None = None
    whitening: str | None = None
    bgr: bool = False
    pad_pixels: int = 0


@dataclass(frozen=True)
class Labels:
    """The class names of a data set, in the order of the network's outputs."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image: class names and probabilities, most likely first."""

    path: str
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
