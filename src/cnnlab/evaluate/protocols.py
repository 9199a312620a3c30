"""Test protocols: which views of an image a network sees, and how its answers are averaged; docs/protocols.md.

A protocol is data: a tuple of `View`s, each with its weight in the average of softmax probabilities. Sizes are
those of the papers, for a network trained on crops of 224 pixels; for other crops they are in proportion (299: 342
in place of 256). Where a crop of a mirrored view lies is counted in the mirrored image, as torchvision's TenCrop does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from cnnlab.data.preprocess import crop, resize, resize_shorter, to_channels
from cnnlab.errors import UsageError, unknown_name
from cnnlab.types import Preprocess

Pixels = npt.NDArray[np.uint8]

PAPER_CROP = 224
PAPER_SIDE = 256  # what a shorter side is resized to where a run has no larger image than its crop


@dataclass(frozen=True)
class Around:
    """The shorter side that the run itself tests at, and `more` pixels, at a crop of 224.

    A run whose images are no larger than its crop, such as CIFAR-10's, has 256 to 224 in proportion.
    """

    more: int = 0


@dataclass(frozen=True)
class Crop:
    """A square of the network's own size (`pixels` at a crop of 224), placed by shares as `preprocess.crop`."""

    down: float = 0.5
    right: float = 0.5
    pixels: int | None = None


@dataclass(frozen=True)
class Shrunk:
    """All there is, resized to the network's own size."""


@dataclass(frozen=True)
class Whole:
    """All there is, as large as it is, for a fully-convolutional network."""


@dataclass(frozen=True)
class View:
    """What of an image a network sees, and the weight of its answer.

    The shorter side is resized to `side` pixels (None: as the run prepares its images); of that the square that
    lies `square` of the way along the longer side is kept (0: left or top, 0.5: centre, 1: right or bottom; None:
    all); of that `area` is taken; `mirrored` left to right; moved by `down_pixels` and `right_pixels` (negative: up
    and left), edges repeated by reflection.
    """

    side: Around | int | None = None
    square: float | None = None
    area: Crop | Shrunk | Whole = Crop()
    mirrored: bool = False
    down_pixels: int = 0
    right_pixels: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class Protocol:
    """Views of an image, whose weights sum to one; `note` says what of it could not be verified."""

    name: str
    views: tuple[View, ...]
    note: str = ""

    @property
    def dense(self) -> bool:
        """Whether the network has to take whole images of any size."""
        return any(isinstance(view.area, Whole) for view in self.views)

    @property
    def keeps_to_the_crop(self) -> bool:
        """Whether the image as the run prepares it is all that the views need."""
        return all(view.side is None and view.square is None and view.area == Crop() for view in self.views)


CORNERS = (Crop(0, 0), Crop(0, 1), Crop(1, 0), Crop(1, 1))
FIVE = (*CORNERS, Crop())
SIX = (*FIVE, Shrunk())
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
GRID = tuple(Crop(down, right) for down, right in product(QUARTERS, QUARTERS))
BOTH = (False, True)  # as it is, and mirrored


def _protocol(
    name: str,
    sides: tuple[Around | int | None, ...],
    areas: tuple[Crop | Shrunk | Whole, ...],
    *,
    squares: tuple[float | None, ...] = (None,),
    mirrors: tuple[bool, ...] = BOTH,
    note: str = "",
) -> Protocol:
    """Every side with every square with every area with every mirroring, all of equal weight."""
    chosen = [
        View(side, square, area, mirrored) for side, square, mirrored, area in product(sides, squares, mirrors, areas)
    ]
    return Protocol(name, tuple(replace(view, weight=1 / len(chosen)) for view in chosen), note)


def _shift6() -> Protocol:
    """The image and its mirror for half of the weight, both moved by a pixel either way for the rest."""
    views = (View(down_pixels=by, right_pixels=by, mirrored=mirrored) for by, mirrored in product((0, -1, 1), BOTH))
    return Protocol("shift6", tuple(replace(view, weight=0.125 if view.down_pixels else 0.25) for view in views))


def _shift18() -> Protocol:
    """The image and its mirror at the nine places that are a pixel away at most, all of equal weight."""
    places = product((0, -1, 1), (0, -1, 1), BOTH)
    views = (View(down_pixels=down, right_pixels=right, mirrored=mirrored) for down, right, mirrored in places)
    return Protocol("shift18", tuple(replace(view, weight=1 / 18) for view in views))


PROTOCOLS: dict[str, Protocol] = {
    "center": _protocol("center", (None,), (Crop(),), mirrors=(False,)),
    "flip": _protocol("flip", (None,), (Crop(),)),
    "shift6": _shift6(),  # Jordan 2024 (arXiv:2404.00498)
    "shift18": _shift18(),  # cnnlab's own
    # AlexNet section 4.1 and ResNet section 3.4, on the whole resized image as torchvision's TenCrop.
    "10crop": _protocol("10crop", (Around(),), FIVE),
    "12crop": _protocol(
        "12crop",
        (Around(),),
        SIX,
        squares=(0.5,),
        note="Inception-v3 (Table 4) and v4 (Table 3) name 12 crops and do not say which (unverified): these are the "
        "twelve of GoogLeNet's centre square at one scale",
    ),
    "144crop": _protocol("144crop", (256, 288, 320, 352), SIX, squares=(0.0, 0.5, 1.0)),  # GoogLeNet section 7
    "150crop": _protocol("150crop", (256, 384, 512), GRID),  # VGG section 3.2
    "dense": _protocol("dense", (Around(),), (Whole(),)),  # VGG section 3.2, one scale
    "multiscale": _protocol("multiscale", (256, 384, 512), (Whole(),)),  # VGG section 4.2, nets trained with jitter
    "multiscale_fixed": _protocol("multiscale_fixed", (Around(-32), Around(), Around(32)), (Whole(),)),  # fixed S
    "multiscale_resnet": _protocol(
        "multiscale_resnet",
        (224, 256, 384, 480, 640),
        (Whole(),),
        mirrors=(False,),
        note="ResNet (section 3.4) names five scales and no mirroring (unverified): there is none here",
    ),
    "320": _protocol("320", (320,), (Crop(pixels=320),), mirrors=(False,)),  # ResNet v2 Table 5, SENet
}


def get_protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
    """
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS, see="cnnlab eval --help")
    return PROTOCOLS[name]


# -- sizes -------------------------------------------------------------------------------------------------


def own_crop(preprocess: Preprocess) -> int:
    """The side of the squares a network was trained on, in pixels.

    Raises:
        UsageError: it was trained on images that are not square, which only some protocols can do with.
    """
    if preprocess.crop_pixels is None:
        raise UsageError(
            "the network was trained on images that are not square; use --protocol center, flip, shift6 or shift18"
        )
    return preprocess.crop_pixels


def in_proportion(pixels: int, preprocess: Preprocess) -> int:
    """The paper's `pixels`, at a crop of 224, for the crop that a network was trained on."""
    return round(pixels * own_crop(preprocess) / PAPER_CROP)


def shorter_side(side: Around | int | None, preprocess: Preprocess) -> int | None:
    """What a view's shorter side is resized to, in pixels; None: it stays as it is."""
    if side is None:
        return preprocess.resize_pixels
    if isinstance(side, int):
        return in_proportion(side, preprocess)
    own = preprocess.resize_pixels or 0
    base = own if own > own_crop(preprocess) else in_proportion(PAPER_SIDE, preprocess)
    return base + in_proportion(side.more, preprocess)


def shorter_sides(protocol: Protocol, preprocess: Preprocess) -> tuple[int, ...]:
    """Every shorter side, in pixels, that a protocol resizes images to, smallest first."""
    found = {shorter_side(view.side, preprocess) for view in protocol.views}
    return tuple(sorted(pixels for pixels in found if pixels is not None))


def input_pixels(view: View, preprocess: Preprocess) -> int:
    """The side of what the network sees of a square image, in pixels."""
    if isinstance(view.area, Whole):
        return shorter_side(view.side, preprocess) or own_crop(preprocess)
    if isinstance(view.area, Crop) and view.area.pixels is not None:
        return in_proportion(view.area.pixels, preprocess)
    return own_crop(preprocess)


# -- the views themselves ------------------------------------------------------------------------------------


def looks(image: Pixels, protocol: Protocol, preprocess: Preprocess) -> list[Pixels]:
    """What a network sees of `image` (H, W, C) in each view, in order: uint8 (h, w, C).

    Neither mirrored nor shifted yet: that is for `adjust`, after the normalisation.

    Raises:
        ImageError: the image is smaller than a crop, and the view does not resize it.
    """
    channels = len(preprocess.mean)
    resized: dict[Around | int | None, Pixels] = {}
    for side in dict.fromkeys(view.side for view in protocol.views):
        pixels = shorter_side(side, preprocess)
        sized = image if pixels is None else resize_shorter(image, pixels, preprocess.interpolation)
        resized[side] = to_channels(sized, channels)
    return [_look(resized[view.side], view, preprocess) for view in protocol.views]


def _look(image: Pixels, view: View, preprocess: Preprocess) -> Pixels:
    if view.mirrored:  # cut where the mirrored image has it, and turned back
        return _cut(image[:, ::-1], view, preprocess)[:, ::-1]
    return _cut(image, view, preprocess)


def _cut(image: Pixels, view: View, preprocess: Preprocess) -> Pixels:
    if view.square is not None:
        image = crop(image, min(image.shape[:2]), view.square, view.square)
    if isinstance(view.area, Whole):
        return image
    if isinstance(view.area, Shrunk):
        pixels = own_crop(preprocess)
        return resize(image, pixels, pixels, preprocess.interpolation)
    if view.area.pixels is None and preprocess.crop_pixels is None:
        return image
    return crop(image, input_pixels(view, preprocess), view.area.down, view.area.right)


def adjust(images: Tensor, view: View) -> Tensor:
    """Shift and mirror a batch (N, C, H, W), normalised, as `view` says."""
    if view.down_pixels or view.right_pixels:
        images = shifted(images, view.down_pixels, view.right_pixels)
    return mirrored(images) if view.mirrored else images


def mirrored(images: Tensor) -> Tensor:
    """The images (N, C, H, W) mirrored left to right."""
    return images.flip(3)


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """The images moved by so many pixels down and right (negative: up and left), edges repeated by reflection."""
    border = max(abs(down), abs(right))
    padded = F.pad(images, (border,) * 4, mode="reflect")
    top, left = border - down, border - right
    return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]
