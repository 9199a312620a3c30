from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms import v2

from cnnlab.data.crops import Crop, RandomArea, ScaleJitter, crop_numbers, place, take_crop
from cnnlab.data.decode import open_image
from cnnlab.errors import UsageError
from cnnlab.types import Interpolation

from .conftest import jpeg, noise, photo, png


def cut(data: bytes, crop: Crop, number: int = 0) -> np.ndarray:
    with open_image(data) as image:
        return take_crop(image, crop, crop_numbers(0, 0, [number])[0])


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (1200, 200)])
def test_random_areas_are_distributed_as_torchvisions(size: tuple[int, int]) -> None:
    width, height = size
    crop, count = RandomArea(224), 4000
    ours = [place(crop, width, height, numbers) for numbers in crop_numbers(1, 2, np.arange(count))]
    mine = np.array([(each.left, each.top, each.width, each.height) for each in ours])
    image = torch.zeros(3, height, width)
    torch.manual_seed(0)
    drawn = [transforms.RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(count)]
    theirs = np.array([(left, top, w, h) for top, left, h, w in drawn])
    for column in range(4):
        assert largest_gap(mine[:, column], theirs[:, column]) < 1.95 * (2 / count) ** 0.5  # Smirnov, p = 0.001
    assert largest_gap(mine[:, 2] * mine[:, 3], theirs[:, 2] * theirs[:, 3]) < 1.95 * (2 / count) ** 0.5


def largest_gap(first: np.ndarray, second: np.ndarray) -> float:
    """The two-sample Kolmogorov-Smirnov statistic."""
    values = np.union1d(first, second)
    shares = [np.searchsorted(np.sort(each), values, side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    number=st.integers(0, 10**6),
    crop=st.sampled_from(
        [RandomArea(32), RandomArea(7, (0.3, 0.4), (0.9, 1.1)), ScaleJitter(24, (24, 40)), ScaleJitter(8, (9, 9), True)]
    ),
)
def test_a_cut_lies_inside_whatever_the_photo(width: int, height: int, number: int, crop: Crop) -> None:
    found = place(crop, width, height, crop_numbers(3, 1, [number])[0])
    assert 0 <= found.left <= found.left + found.width <= width
    assert 0 <= found.top <= found.top + found.height <= height
    assert 0 <= found.x <= found.resized_width - crop.pixels
    assert 0 <= found.y <= found.resized_height - crop.pixels
    assert found.width >= 1
    assert found.height >= 1


def test_a_photo_too_long_for_the_aspect_gives_its_largest_centre() -> None:
    found = place(RandomArea(10, (0.9, 1.0)), 1000, 100, crop_numbers(0, 0, [0])[0])
    assert (found.left, found.top, found.width, found.height) == ((1000 - 133) // 2, 0, 133, 100)


def test_a_random_area_equals_torchvisions_resized_crop() -> None:
    image = photo(120, 160)
    found = place(RandomArea(40), 160, 120, crop_numbers(0, 0, [5])[0])
    box = (found.top, found.left, found.height, found.width)
    expected = np.asarray(transforms.functional.resized_crop(Image.fromarray(image), *box, [40, 40]))
    got = cut(png(image), RandomArea(40), 5)
    assert np.abs(got.astype(int) - expected).max() <= 1


def test_scale_jitter_draws_every_side_and_equals_resize_then_crop() -> None:
    crop = ScaleJitter(32, (32, 48))
    found = [place(crop, 100, 80, numbers) for numbers in crop_numbers(0, 0, np.arange(2000))]
    shorter = np.array([each.resized_height for each in found])
    assert set(shorter) == set(range(32, 49))
    assert abs(shorter.mean() - 40) < 0.5
    fixed = [place(ScaleJitter(32, (48, 48)), 100, 80, numbers) for numbers in crop_numbers(0, 0, np.arange(2000))]
    assert {each.x for each in fixed} == set(range(60 - 32 + 1))
    assert {each.y for each in fixed} == set(range(48 - 32 + 1))
    image = photo(80, 100)
    resized = v2.functional.resize(Image.fromarray(image), [found[7].resized_height])
    expected = np.asarray(resized)[found[7].y : found[7].y + 32, found[7].x : found[7].x + 32]
    assert np.abs(cut(png(image), crop, 7).astype(int) - expected).max() <= 1


def test_the_centre_square_bounds_the_places() -> None:
    crop = ScaleJitter(8, (16, 16), centre_square=True)
    found = [place(crop, 64, 32, numbers) for numbers in crop_numbers(0, 0, np.arange(500))]
    assert {each.resized_width for each in found} == {32}
    assert {each.x for each in found} == set(range(8, 17))
    assert {each.y for each in found} == set(range(9))


def test_the_ways_to_resize_are_drawn_alike() -> None:
    ways = tuple(Interpolation)
    found = [place(RandomArea(4, interpolations=ways), 30, 30, n).how for n in crop_numbers(0, 0, np.arange(2000))]
    assert all(abs(found.count(way) - 500) < 80 for way in ways)
    for number in range(8):
        assert cut(jpeg(noise(30, 40)), RandomArea(16, interpolations=ways), number).shape == (16, 16, 3)


@pytest.mark.parametrize("crop", [RandomArea(64, (0.5, 1.0)), ScaleJitter(64, (64, 80))])
def test_a_large_jpeg_shrunk_while_decoding_gives_nearly_the_same_picture(crop: Crop) -> None:
    image = photo(900, 1200)
    whole, shrunk = cut(png(image), crop, 3), cut(jpeg(image), crop, 3)
    difference = np.abs(whole.astype(int) - shrunk)
    assert difference.mean() < 2.5
    assert np.percentile(difference, 99) < 16


def test_crops_that_cannot_be_are_refused() -> None:
    for make in (
        lambda: RandomArea(0),
        lambda: RandomArea(8, area=(0.5, 0.1)),
        lambda: RandomArea(8, aspect=(0.0, 1.0)),
        lambda: ScaleJitter(224, (200, 300)),
        lambda: ScaleJitter(10, (30, 20)),
    ):
        with pytest.raises(UsageError, match="accepted"):
            make()
