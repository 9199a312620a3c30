from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data.parts import Part, Parts
from cnnlab.data.smaller import with_pixels, with_train_images
from cnnlab.data.synthetic import synthetic
from cnnlab.errors import UsageError


@pytest.fixture(scope="module")
def parts() -> Parts:
    return synthetic(train_images=60, val_images=10, test_images=10, pixels=16)


def test_training_images_are_as_many_of_each_class_and_always_the_same(parts: Parts) -> None:
    fewer = with_train_images(parts, 20)
    assert isinstance(fewer.train, Part)
    assert torch.bincount(fewer.train.labels).tolist() == [2] * 10
    assert torch.equal(fewer.train.images, with_train_images(parts, 20).train.images)  # type: ignore[union-attr]
    assert fewer.test is parts.test
    assert fewer.sha256 != parts.sha256


def test_images_are_resized_as_pillow_does(parts: Parts) -> None:
    small = with_pixels(parts, 8)
    assert isinstance(parts.train, Part)
    assert isinstance(small.train, Part)
    original = Image.fromarray(parts.train.images[3].permute(1, 2, 0).numpy())
    expected = np.asarray(original.resize((8, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(small.train.images[3].permute(1, 2, 0).numpy(), expected)
    assert [len(each) for each in (small.train, small.val)] == [60, 10]
    assert small.test is not None
    assert small.test.images.shape == (10, 3, 8, 8)  # type: ignore[union-attr]
    assert small.sha256 != parts.sha256


def test_a_set_without_a_test_part_has_none_after(parts: Parts) -> None:
    assert with_pixels(replace(parts, test=None), 8).test is None


@pytest.mark.parametrize("pixels", [0, 17])
def test_images_are_never_enlarged(parts: Parts, pixels: int) -> None:
    with pytest.raises(UsageError, match="images of 16 pixels"):
        with_pixels(parts, pixels)


def test_there_must_be_so_many(parts: Parts) -> None:
    with pytest.raises(UsageError, match="cannot choose 61 of 60"):
        with_train_images(parts, 61)
