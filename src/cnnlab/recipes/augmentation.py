"""How training images are changed by chance: cuts of photos, and changes of a batch of equal images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from cnnlab.errors import UsageError
from cnnlab.recipes.values import STRICT, Count, Fraction, NotNegative, Positive

# -- one square out of a photo of any size -------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class RandomArea:
    """A rectangle of a random share of the area and a random aspect, resized to a square of `pixels`.

    GoogLeNet (Szegedy et al. 2014, section 6). `interpolations`: one of them is drawn for each image.
    """

    pixels: Count
    area: tuple[Positive, Positive] = (0.08, 1.0)
    aspect: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    interpolations: tuple[Literal["nearest", "bilinear", "bicubic", "area"], ...] = ("bilinear",)
    kind: Literal["random_area"] = "random_area"

    def __post_init__(self) -> None:
        """Refuse ranges that run backwards."""
        _range("area", self.area, most=1.0)
        _range("aspect", self.aspect)
        if not self.interpolations:
            raise UsageError("crop random_area has no interpolations; give one or more")


@dataclass(frozen=True, config=STRICT)
class ScaleJitter:
    """The shorter side resized to a whole number drawn from `shorter_side`, then a random square of `pixels`.

    VGG (Simonyan and Zisserman 2014, section 3.1). Equal ends: one fixed size. `centre_square`: the square is
    cut out of the resized photo's central square, as in AlexNet (Krizhevsky et al. 2012, section 2).
    """

    pixels: Count
    shorter_side: tuple[Count, Count] = (256, 480)
    centre_square: bool = False
    kind: Literal["scale_jitter"] = "scale_jitter"

    def __post_init__(self) -> None:
        """Refuse ranges that run backwards, and a side smaller than the square."""
        _range("shorter_side", self.shorter_side)
        if self.shorter_side[0] < self.pixels:
            raise UsageError(
                f"crop scale_jitter cuts {self.pixels} pixels out of a shorter side of {self.shorter_side[0]}; "
                "make shorter_side at least as large"
            )


Crop = Annotated[RandomArea | ScaleJitter, Field(discriminator="kind")]


# -- changes of a batch of images --------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class PadCrop:
    """Pad every side by `pixels`, then cut the original size at a random place."""

    pixels: Count
    mode: Literal["zero", "reflect"] = "zero"
    kind: Literal["pad_crop"] = "pad_crop"


@dataclass(frozen=True, config=STRICT)
class Flip:
    """Mirror an image left to right with this probability."""

    probability: Fraction = 0.5
    kind: Literal["flip"] = "flip"


@dataclass(frozen=True, config=STRICT)
class AlternatingFlip:
    """Mirror half of the images in the first epoch, and in each later one exactly the others (Jordan 2024)."""

    kind: Literal["alternating_flip"] = "alternating_flip"


@dataclass(frozen=True, config=STRICT)
class PcaNoise:
    """AlexNet's colour noise along the principal axes of RGB (Krizhevsky et al. 2012, section 4.1).

    The axes are those of the training images (`data`), or those widely used for ImageNet (`published`).
    """

    std: Positive = 0.1
    source: Literal["data", "published"] = "data"
    kind: Literal["pca_noise"] = "pca_noise"


@dataclass(frozen=True, config=STRICT)
class Photometric:
    """Brightness, contrast and saturation each times a number in 1 +- this, in random order (Howard 2013)."""

    brightness: NotNegative = 0.4
    contrast: NotNegative = 0.4
    saturation: NotNegative = 0.4
    kind: Literal["photometric"] = "photometric"


@dataclass(frozen=True, config=STRICT)
class PixelJitter:
    """Add to every pixel its own number in +- `amount`, of 255 (the released SENet)."""

    amount: Positive = 20.0
    kind: Literal["pixel_jitter"] = "pixel_jitter"


@dataclass(frozen=True, config=STRICT)
class Rotation:
    """Turn about the centre by an angle in +- `degrees`."""

    degrees: Positive = 10.0
    kind: Literal["rotation"] = "rotation"


@dataclass(frozen=True, config=STRICT)
class Erasing:
    """Overwrite a random rectangle with noise, with this probability (Zhong et al. 2017)."""

    probability: Fraction = 0.5
    area: tuple[Positive, Positive] = (0.02, 0.4)
    aspect: tuple[Positive, Positive] = (0.3, 10 / 3)
    kind: Literal["erasing"] = "erasing"

    def __post_init__(self) -> None:
        """Refuse ranges that run backwards."""
        _range("area", self.area, most=1.0)
        _range("aspect", self.aspect)


@dataclass(frozen=True, config=STRICT)
class Cutout:
    """Set a square of `pixels` to the mean, its centre anywhere in the image (DeVries and Taylor 2017).

    Unlike the noise of `Erasing` it hardly changes how large the maps of a whitening layer are, of which batch norm
    keeps statistics.
    """

    pixels: Count = 16
    kind: Literal["cutout"] = "cutout"


@dataclass(frozen=True, config=STRICT)
class Mixup:
    """Blend each image and its label with another's, the share drawn from Beta(alpha, alpha) (Zhang et al. 2017)."""

    alpha: Positive = 0.2
    kind: Literal["mixup"] = "mixup"


@dataclass(frozen=True, config=STRICT)
class Cutmix:
    """Paste a rectangle of another image, and mix the labels by area (Yun et al. 2019)."""

    alpha: Positive = 1.0
    kind: Literal["cutmix"] = "cutmix"


@dataclass(frozen=True, config=STRICT)
class RandAugment:
    """`num_ops` random changes of strength `magnitude` (Cubuk et al. 2019; torchvision's own)."""

    num_ops: Count = 2
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    kind: Literal["rand_augment"] = "rand_augment"


@dataclass(frozen=True, config=STRICT)
class TrivialAugment:
    """One random change of random strength (Müller and Hutter 2021; torchvision's own)."""

    kind: Literal["trivial_augment"] = "trivial_augment"


ColourChange = RandAugment | TrivialAugment | Photometric | PcaNoise | PixelJitter
"""What is done to the pixels, before they are normalised."""
PlaceChange = PadCrop | Flip | AlternatingFlip | Rotation | Erasing | Cutout
"""What is done to normalised images, after the changes of colour."""
Augment = Annotated[ColourChange | PlaceChange | Mixup | Cutmix, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class Resolution:
    """Train on images resized to `pixels` until this share of the training is over."""

    until: Fraction
    pixels: Count


def _range(name: str, ends: tuple[float, float], most: float | None = None) -> None:
    if ends[0] > ends[1] or (most is not None and ends[1] > most):
        limit = f" and end at {most:g} or below" if most is not None else ""
        raise UsageError(f"{name} must run from low to high{limit}; seen {ends}")
