from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from cnnlab.data.preprocess import measure, normalise, prepare, resize, resize_and_crop, resize_fast
from cnnlab.errors import ImageError, UsageError
from cnnlab.types import Interpolation, Preprocess

from .conftest import noise, photo

PLAIN = Preprocess(None, None, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
channels_last = torch.channels_last


@pytest.mark.parametrize("size", [(40, 60), (61, 40), (33, 33), (300, 41), (20, 23)])
@pytest.mark.parametrize("how", list(Interpolation))
def test_resize_and_crop_agree_with_torchvision(size: tuple[int, int], how: Interpolation) -> None:
    image = noise(*size)
    ours = resize_and_crop(image, replace(PLAIN, resize_pixels=32, crop_pixels=28, interpolation=how))
    mode = v2.InterpolationMode("box" if how is Interpolation.AREA else how.value)
    theirs = v2.Compose([v2.Resize(32, interpolation=mode), v2.CenterCrop(28)])(Image.fromarray(image))
    assert np.array_equal(ours, np.asarray(theirs))


def test_without_resize_or_crop_the_image_stays() -> None:
    image = noise(7, 9)
    assert resize_and_crop(image, PLAIN) is image


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ImageError, match="9 x 7 pixels cannot be cropped to 8 x 8"):
        resize_and_crop(noise(7, 9), replace(PLAIN, crop_pixels=8))


def test_prepare_gives_channels_first_and_luma_for_grey_networks() -> None:
    image = noise(8, 8)
    assert np.array_equal(prepare(image, PLAIN), image.transpose(2, 0, 1))
    grey = prepare(image, Preprocess(None, None, (0.1,), (0.3,)))
    assert grey.shape == (1, 8, 8)
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[0] - luma).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, channels_last])
def test_normalise_is_the_formula(channels: int, memory_format: torch.memory_format) -> None:
    images = torch.randint(0, 256, (5, channels, 6, 7), dtype=torch.uint8).to(memory_format=memory_format)
    before = images.clone()
    mean, std = PLAIN.mean[:channels], PLAIN.std[:channels]
    result = normalise(images, Preprocess(None, None, mean, std))
    expected = (images.double() / 255 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    torch.testing.assert_close(result, expected.float(), atol=1e-6, rtol=1e-6)
    assert result.is_contiguous(memory_format=channels_last)
    assert torch.equal(images, before)


def test_a_mean_image_is_subtracted_in_place_of_the_mean() -> None:
    images = torch.randint(0, 256, (50, 3, 4, 4), dtype=torch.uint8)
    preprocess = measure(images, "pixel_mean")
    result = normalise(images, preprocess)
    expected = images.double() / 255 - (images.double() / 255).mean(0)
    torch.testing.assert_close(result, expected.float(), atol=1e-6, rtol=1e-6)
    assert preprocess.std == (1.0, 1.0, 1.0)


def test_normalise_works_again_after_inference_mode() -> None:
    images = torch.zeros(2, 3, 5, 5, dtype=torch.uint8)
    preprocess = replace(PLAIN, mean=(0.11, 0.12, 0.13))
    with torch.inference_mode():
        normalise(images, preprocess)
    weight = torch.ones(2, 3, 5, 5, requires_grad=True)
    (normalise(images, preprocess) * weight).sum().backward()
    assert weight.grad is not None


def test_normalise_refuses_other_channels_and_other_sizes() -> None:
    with pytest.raises(UsageError, match="images have 1 channels, the preprocessing has 3"):
        normalise(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), PLAIN)
    with pytest.raises(UsageError, match="mean image has 12 numbers"):
        normalise(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), replace(PLAIN, mean_image=(0.0,) * 12))


def test_measure_is_the_mean_and_deviation_of_all_pixels() -> None:
    images = torch.randint(0, 256, (2500, 3, 5, 5), dtype=torch.uint8)
    preprocess = measure(images)
    values = images.double().numpy() / 255
    np.testing.assert_allclose(preprocess.mean, values.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(preprocess.std, values.std((0, 2, 3)), rtol=1e-9)
    assert (preprocess.resize_pixels, preprocess.crop_pixels) == (5, 5)
    normal = normalise(images, preprocess)
    assert abs(normal.mean().item()) < 1e-4
    assert abs(normal.std().item() - 1) < 1e-3


def test_measure_of_a_constant_channel_can_be_divided_by() -> None:
    assert measure(torch.full((3, 1, 4, 4), 255, dtype=torch.uint8)).std == (1.0,)


def test_measure_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no images"):
        measure(torch.zeros(0, 3, 4, 4, dtype=torch.uint8))


def test_black_borders_come_before_the_normalisation() -> None:
    images = torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)
    padded = normalise(images, Preprocess(4, 4, (0.5,), (0.5,), pad_pixels=2))
    assert padded.shape == (2, 1, 8, 8)
    assert (padded[:, :, 2:-2, 2:-2] == 1).all()
    assert (padded[:, :, :2] == -1).all()


@pytest.mark.parametrize("how", list(Interpolation))
def test_the_fast_resize_is_the_other_within_one(how: Interpolation) -> None:
    image = photo(75, 100)[5:70, 10:90]
    ours, theirs = resize_fast(image, 32, 40, how), resize(image, 32, 40, how)
    assert ours.shape == (32, 40, 3)
    assert np.abs(ours.astype(int) - theirs).max() <= (3 if how is Interpolation.BICUBIC else 1)
    assert resize_fast(image, 65, 80, how) is image


def test_float_images_are_normalised_as_uint8_ones_and_left_as_they_are() -> None:
    images = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8)
    preprocess = Preprocess(None, None, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    floats = images.float().contiguous(memory_format=torch.channels_last)
    before = floats.clone()
    assert torch.equal(normalise(floats, preprocess), normalise(images, preprocess))
    assert torch.equal(floats, before)
