"""The training part in batches, cut out and augmented as the recipe says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.data import augment, colour, crops, geometry, mixing, policies
from cnnlab.data.drawn import Draw, EpochNumbers
from cnnlab.data.loader import Augment as Change
from cnnlab.data.loader import Batch, Batches, Mix, Weights
from cnnlab.data.parts import Part, Parts
from cnnlab.data.photo_loader import PhotoBatches
from cnnlab.data.photos import usable_cores
from cnnlab.data.preprocess import normalise
from cnnlab.data.sampler import Indices
from cnnlab.data.stats import colour_pca
from cnnlab.errors import UsageError
from cnnlab.recipes.augmentation import ColourChange, PlaceChange
from cnnlab.recipes.recipe import (
    AlternatingFlip,
    Augment,
    Crop,
    Cutmix,
    Cutout,
    Erasing,
    Flip,
    Mixup,
    PadCrop,
    PcaNoise,
    Photometric,
    PixelJitter,
    RandAugment,
    RandomArea,
    Recipe,
    Rotation,
    TrivialAugment,
)
from cnnlab.train.distributed import ALONE, World
from cnnlab.types import Preprocess

Axes = tuple[Tensor, Tensor]


class TrainingBatches:
    """The batches of a training part, any of them at any time: (epoch, position) decide what is in it.

    `steps_per_epoch` counts them; `pixels` is the side of their images; the last few images of an epoch that make
    no full batch are left out. `weights` (N,) draw images in proportion to them; `max_bad` is the share of photos
    that may be unreadable. `workers` processes decode photos, none for threads of this process; with `gpu_jpegs` the
    GPU decodes JPEGs. One process of a `world` of several makes its share of each batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        parts: Parts,
        preprocess: Preprocess,
        *,
        seed: int,
        device: torch.device,
        weights: Weights | None = None,
        max_bad: float = 0.01,
        workers: int = 0,
        gpu_jpegs: bool = False,
        world: World = ALONE,
    ) -> None:
        check_crop(recipe, parts)
        self._train, self._preprocess, self._device = parts.train, preprocess, device
        self._batches: Batches | PhotoBatches
        changes: dict[str, Any] = {
            "augment_pixels": change_pixels(recipe.augment, seed, colour_axes(recipe, parts)),
            "augment": augment_with(recipe.augment, seed),
            "mix": mix_with(recipe.augment, seed, len(parts.class_names)),
        }
        how: dict[str, Any] = {"batch_size": recipe.batch_size, "seed": seed, "device": device, "weights": weights}
        how |= {"rank": world.rank, "world_size": world.size}
        if isinstance(parts.train, Part):
            self.pixels = parts.train.images.shape[-1]
            self._batches = Batches(parts.train, preprocess=preprocess, **how, **changes)
        else:
            crop = _crop(recipe.crop)
            self.pixels = crop.pixels
            self._batches = PhotoBatches(
                parts.train,
                preprocess=preprocess,
                crop=crop,
                max_bad=max_bad,
                workers=workers,
                gpu_jpegs=gpu_jpegs,
                threads=None if workers else max(1, usable_cores() // world.local_size),
                **how,
                **changes,
            )
        self.steps_per_epoch = self._batches.steps_per_epoch

    def batch(self, epoch: int, position: int) -> Batch:
        """The batch at `position` (0 to steps_per_epoch - 1) of `epoch`."""
        return self._batches.batch(epoch, position)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Why photos could not be read so far, one reason each; images in memory have all been read."""
        return self._batches.unreadable.reasons if isinstance(self._batches, PhotoBatches) else ()

    @property
    def damaged(self) -> tuple[str, ...]:
        """Which photos were found damaged so far, and used all the same; images in memory were told of when loaded."""
        return self._batches.damaged.reasons if isinstance(self._batches, PhotoBatches) else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth a line about how the images are read."""
        return self._batches.notes if isinstance(self._batches, PhotoBatches) else ()

    def sample(self, count: int) -> Tensor:
        """Up to `count` training images as a network sees them, (N, C, H, W): the first, or a batch of photos."""
        if isinstance(self._train, Part):
            return normalise(self._train.images[:count].to(self._device), self._preprocess)
        return self._batches.batch(0, 0).images

    def blank_image(self) -> Tensor:
        """An image of zeros, float32 (C, H, W), of the shape that those of a batch have."""
        if isinstance(self._train, Part):
            return torch.zeros_like(self.sample(1)[0])
        return torch.zeros(3, self.pixels, self.pixels)


def check_crop(recipe: Recipe, parts: Parts) -> None:
    """Refuse a recipe that cuts squares out of photos for images of one size in memory, and the other way round.

    Raises:
        UsageError: says which of the two it is.
    """
    in_memory = isinstance(parts.train, Part)
    if in_memory and recipe.crop is not None:
        raise UsageError(
            f"recipe {recipe.name} cuts squares of {recipe.crop.pixels} pixels out of photos, and {parts.name} has "
            "images of one size; take a recipe for small images, such as modern/cifar10, or add --set crop=null "
            "--set test_resize_pixels=null --set test_crop_pixels=null"
        )
    if not in_memory and recipe.crop is None:
        raise UsageError(f"recipe {recipe.name} has no crop for photos on disk; take modern/imagenet, say")


def image_channels(parts: Parts) -> int:
    """Channels of the images: 3, but for images in memory that have others."""
    return parts.train.images.shape[1] if isinstance(parts.train, Part) else 3


def _crop(crop: Crop | None) -> crops.Crop:
    """The recipe's crop as the data room's."""
    assert crop is not None
    if isinstance(crop, RandomArea):
        return crops.RandomArea(crop.pixels, crop.area, crop.aspect, crop.interpolations)
    return crops.ScaleJitter(crop.pixels, crop.shorter_side, crop.centre_square)


# -- augmentation: each a function of (seed, epoch, the image's own number), in the recipe's order -----------


def change_pixels(steps: Sequence[Augment], seed: int, axes: Axes | None = None) -> Change | None:
    """The changes of colour, for images uint8 (N, C, H, W) before they are normalised; None where there are none.

    `axes` are the eigenvalues (3,) and eigenvectors (3, 3) that `PcaNoise` needs.
    """
    chosen = [step for step in steps if isinstance(step, ColourChange)]

    def apply(images: Tensor, indices: Indices, epoch: int) -> Tensor:
        for step in chosen:
            images = _change_pixels(step, images, indices, seed, epoch, axes)
        return images

    return apply if chosen else None


def augment_with(steps: Sequence[Augment], seed: int) -> Change | None:
    """The changes of place, for normalised images (N, C, H, W); None where there are none."""
    chosen = [_change_places(step, seed) for step in steps if isinstance(step, PlaceChange)]

    def apply(images: Tensor, indices: Indices, epoch: int) -> Tensor:
        for change in chosen:
            images = change(images, indices, epoch)
        return images

    return apply if chosen else None


def mix_with(steps: Sequence[Augment], seed: int, num_classes: int) -> Mix | None:
    """The mixing of images and labels, which become float32 (N, K); None where there is none."""
    chosen = [step for step in steps if isinstance(step, Mixup | Cutmix)]

    def apply(images: Tensor, labels: Tensor, indices: Indices, epoch: int) -> tuple[Tensor, Tensor]:
        for step in chosen:
            mix = mixing.mixup if isinstance(step, Mixup) else mixing.cutmix
            images, labels = mix(images, labels, seed, epoch, indices, step.alpha, num_classes)
        return images, labels

    return apply if chosen else None


def colour_axes(recipe: Recipe, parts: Parts) -> Axes | None:
    """The axes that the recipe's `PcaNoise` moves colours along, measured on the training part or published.

    Raises:
        UsageError: the recipe changes colours, and the images are not RGB.
    """
    colours = [step.kind for step in recipe.augment if isinstance(step, PcaNoise | Photometric)]
    if colours and image_channels(parts) != 3:
        raise UsageError(f"recipe {recipe.name} changes colours ({', '.join(colours)}), and {parts.name} is not RGB")
    sources = {step.source for step in recipe.augment if isinstance(step, PcaNoise)}
    if not sources:
        return None
    if sources == {"published"}:
        return torch.tensor(colour.PUBLISHED_EIGENVALUES), torch.tensor(colour.PUBLISHED_EIGENVECTORS)
    return colour_pca(parts.train)


def _change_pixels(
    step: ColourChange, images: Tensor, indices: Indices, seed: int, epoch: int, axes: Axes | None
) -> Tensor:
    match step:
        case RandAugment():
            return policies.rand_augment(images, seed, epoch, indices, step.num_ops, step.magnitude)
        case TrivialAugment():
            return policies.trivial_augment(images, seed, epoch, indices)
        case Photometric():
            amounts = (step.brightness, step.contrast, step.saturation)
            return colour.photometric(images, seed, epoch, indices, *amounts)
        case PixelJitter():
            return colour.pixel_jitter(images, seed, epoch, indices, step.amount)
        case PcaNoise():
            assert axes is not None
            return colour.pca_noise(images, colour.pca_normals(seed, epoch, indices), *axes, step.std)


def _change_places(step: PlaceChange, seed: int) -> Change:
    match step:
        case PadCrop():
            return _crop_places(step, seed)
        case Flip():
            return _flip_by(lambda epoch, keys: augment.flip_mask(seed, epoch, keys, step.probability))
        case AlternatingFlip():
            return _flip_by(lambda epoch, keys: augment.alternating_flip_mask(seed, epoch, keys))
        case Rotation():
            return lambda images, keys, epoch: geometry.rotate(images, geometry.angles(seed, epoch, keys, step.degrees))
        case Erasing():
            return lambda images, keys, epoch: geometry.erase(
                images, seed, epoch, keys, step.probability, step.area, step.aspect
            )
        case Cutout():
            return _cut_squares_out(step, seed)


def _crop_places(step: PadCrop, seed: int) -> Change:
    offsets = EpochNumbers(lambda epoch, keys: np.stack(augment.crop_offsets(seed, epoch, keys, step.pixels)))

    def apply(images: Tensor, keys: Indices, epoch: int) -> Tensor:
        rows, columns = offsets.of(epoch, keys, images.device)
        return augment.pad_crop(images, rows, columns, step.pixels, step.mode)

    return apply


def _cut_squares_out(step: Cutout, seed: int) -> Change:
    centres = EpochNumbers(lambda epoch, keys: geometry.centres(seed, epoch, keys))
    return lambda images, keys, epoch: geometry.cut_out(images, centres.of(epoch, keys, images.device), step.pixels)


def _flip_by(draw: Draw) -> Change:
    masks = EpochNumbers(draw)
    return lambda images, keys, epoch: augment.flip(images, masks.of(epoch, keys, images.device))
