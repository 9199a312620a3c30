import numpy as np
import torch

from cnnlab.data import augment
from cnnlab.recipes.recipe import AlternatingFlip, Flip, PadCrop
from cnnlab.train.batches import augment_with

IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)).contiguous(
    memory_format=torch.channels_last
)
INDICES = np.arange(100, 106)


def test_no_augmentation_is_none() -> None:
    assert augment_with((), seed=0) is None


def test_crop_then_flip_equals_the_rooms_own_functions() -> None:
    apply = augment_with((PadCrop(pixels=2), Flip(probability=0.5)), seed=3)
    assert apply is not None
    rows, columns = augment.crop_offsets(3, 5, INDICES, 2)
    expected = augment.flip(augment.pad_crop(IMAGES, rows, columns, 2, "zero"), augment.flip_mask(3, 5, INDICES, 0.5))
    assert torch.equal(apply(IMAGES, INDICES, 5), expected)


def test_an_image_meets_the_same_fate_in_any_batch() -> None:
    apply = augment_with((PadCrop(pixels=2, mode="reflect"), Flip()), seed=3)
    assert apply is not None
    whole = apply(IMAGES, INDICES, 1)
    assert torch.equal(apply(IMAGES[2:4], INDICES[2:4], 1), whole[2:4])


def test_alternating_flip_shows_every_image_both_ways_in_two_epochs() -> None:
    apply = augment_with((AlternatingFlip(),), seed=0)
    assert apply is not None
    first, second = apply(IMAGES, INDICES, 0), apply(IMAGES, INDICES, 1)
    assert torch.equal(first.flip(3), second)
