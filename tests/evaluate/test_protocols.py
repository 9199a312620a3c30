from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, FiveCrop, Resize, TenCrop

from cnnlab.data.preprocess import prepare
from cnnlab.errors import ImageError, UnknownNameError, UsageError
from cnnlab.evaluate.protocols import (
    PROTOCOLS,
    Pixels,
    View,
    Whole,
    adjust,
    get_protocol,
    in_proportion,
    input_pixels,
    looks,
    mirrored,
    shifted,
    shorter_sides,
)
from cnnlab.types import Preprocess

VIEWS = {
    "center": 1,
    "flip": 2,
    "shift6": 6,
    "shift18": 18,
    "10crop": 10,
    "12crop": 12,
    "144crop": 144,
    "150crop": 150,
    "dense": 2,
    "multiscale": 6,
    "multiscale_fixed": 6,
    "multiscale_resnet": 5,
    "320": 1,
}
IMAGENET = Preprocess(256, 224, (0.0,) * 3, (1.0,) * 3)
CIFAR = Preprocess(32, 32, (0.0,) * 3, (1.0,) * 3)
ROWS = torch.arange(12.0).view(1, 1, 3, 4)  # 0 1 2 3 / 4 5 6 7 / 8 9 10 11

# The views of ROWS written out by hand.
AS_IS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
MIRRORED = [[3, 2, 1, 0], [7, 6, 5, 4], [11, 10, 9, 8]]
UP_LEFT = [[5, 6, 7, 6], [9, 10, 11, 10], [5, 6, 7, 6]]
UP_LEFT_MIRRORED = [[6, 7, 6, 5], [10, 11, 10, 9], [6, 7, 6, 5]]
DOWN_RIGHT = [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6]]
DOWN_RIGHT_MIRRORED = [[6, 5, 4, 5], [2, 1, 0, 1], [6, 5, 4, 5]]
UP = [[4, 5, 6, 7], [8, 9, 10, 11], [4, 5, 6, 7]]
DOWN = [[4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]]
LEFT = [[1, 2, 3, 2], [5, 6, 7, 6], [9, 10, 11, 10]]
RIGHT = [[1, 0, 1, 2], [5, 4, 5, 6], [9, 8, 9, 10]]
UP_RIGHT = [[5, 4, 5, 6], [9, 8, 9, 10], [5, 4, 5, 6]]
DOWN_LEFT = [[5, 6, 7, 6], [1, 2, 3, 2], [5, 6, 7, 6]]
NINE = [AS_IS, LEFT, RIGHT, UP, UP_LEFT, UP_RIGHT, DOWN, DOWN_LEFT, DOWN_RIGHT]
BY_HAND: dict[str, list[tuple[list[list[int]], float]]] = {
    "center": [(AS_IS, 1.0)],
    "flip": [(AS_IS, 0.5), (MIRRORED, 0.5)],
    "shift6": [
        (AS_IS, 0.25),
        (MIRRORED, 0.25),
        (UP_LEFT, 0.125),
        (UP_LEFT_MIRRORED, 0.125),
        (DOWN_RIGHT, 0.125),
        (DOWN_RIGHT_MIRRORED, 0.125),
    ],
    "shift18": [(rows, 1 / 18) for place in NINE for rows in (place, [row[::-1] for row in place])],
}

every_protocol = pytest.mark.parametrize("name", PROTOCOLS)


def photo(height: int, width: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def seen(image: Pixels, name: str, preprocess: Preprocess) -> list[Pixels]:
    """What the network sees, mirrored where the view says so, (h, w, C)."""
    views = get_protocol(name).views
    cuts = looks(image, get_protocol(name), preprocess)
    batches = [torch.from_numpy(cut.copy()).permute(2, 0, 1)[None] for cut in cuts]
    return [adjust(batch, view)[0].permute(1, 2, 0).numpy() for batch, view in zip(batches, views, strict=True)]


def counted(images: list[Pixels]) -> Counter[bytes]:
    """The images as a bag: what there is, how often, in no order."""
    return Counter(np.ascontiguousarray(image).tobytes() for image in images)


# -- all of them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_HAND)
def test_views_that_keep_to_the_crop_are_those_drawn_by_hand(name: str) -> None:
    found = [(adjust(ROWS, view)[0, 0].int().tolist(), view.weight) for view in get_protocol(name).views]
    assert found == BY_HAND[name]
    assert get_protocol(name).keeps_to_the_crop


def test_every_protocol_has_the_papers_number_of_views() -> None:
    assert {name: len(protocol.views) for name, protocol in PROTOCOLS.items()} == VIEWS


@every_protocol
def test_its_weights_sum_to_one_and_it_is_called_what_the_catalogue_calls_it(name: str) -> None:
    assert sum(view.weight for view in get_protocol(name).views) == pytest.approx(1.0, abs=1e-12)
    assert get_protocol(name).name == name


@every_protocol
def test_no_view_comes_twice(name: str) -> None:
    views = get_protocol(name).views
    assert len({replace(view, weight=1.0) for view in views}) == len(views)


@every_protocol
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_views_have_the_size_that_is_foretold_and_every_channel(name: str, channels: int) -> None:
    preprocess = Preprocess(16, 14, (0.0,) * channels, (1.0,) * channels)
    protocol = get_protocol(name)
    for view, cut in zip(protocol.views, looks(photo(40, 40, channels), protocol, preprocess), strict=True):
        assert cut.shape == (*(input_pixels(view, preprocess),) * 2, channels)


@every_protocol
def test_an_rgb_photo_is_made_grey_for_a_grey_network(name: str) -> None:
    cuts = looks(photo(20, 20), get_protocol(name), Preprocess(16, 14, (0.0,), (1.0,)))
    assert {cut.shape[2] for cut in cuts} == {1}


def test_a_misspelt_protocol_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="no protocol 'centre'; did you mean 'center'"):
        get_protocol("centre")


# -- centre and ten crops: torchvision's ------------------------------------------------------------------------


@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_center_is_the_prepared_image(height: int, width: int) -> None:
    preprocess = Preprocess(20, 15, (0.0,) * 3, (1.0,) * 3)
    [cut] = looks(photo(height, width), get_protocol("center"), preprocess)
    np.testing.assert_array_equal(cut.transpose(2, 0, 1), prepare(photo(height, width), preprocess))


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (256, 256), (375, 501), (517, 333), (100, 90)])
def test_10crop_is_torchvisions_tencrop_bit_for_bit(size: tuple[int, int]) -> None:
    image = photo(*size)
    expected = TenCrop(224)(Resize(256)(Image.fromarray(image)))
    for found, wanted in zip(seen(image, "10crop", IMAGENET), expected, strict=True):
        np.testing.assert_array_equal(found, np.asarray(wanted))


def test_320_is_torchvisions_centre_crop_of_a_larger_image() -> None:
    image = photo(300, 411)
    [found] = seen(image, "320", IMAGENET)
    np.testing.assert_array_equal(found, np.asarray(CenterCrop(320)(Resize(320)(Image.fromarray(image)))))


# -- GoogLeNet's 144, section 7 of the paper ---------------------------------------------------------------------


def googlenet_144(image: Pixels) -> list[Pixels]:
    """The paper's sentence, step by step, with torchvision; every rest of a division is even for a 3:2 image."""
    found = []
    for scale in (256, 288, 320, 352):
        resized = TF.resize(Image.fromarray(image), scale)
        long = max(resized.size)
        for start in (0, (long - scale) // 2, long - scale):  # left, centre, right; or top, centre, bottom
            top, left = (0, start) if resized.width == long else (start, 0)
            square = TF.crop(resized, top, left, scale, scale)
            six = [*FiveCrop(224)(square), TF.resize(square, [224, 224])]
            found += [*six, *map(TF.hflip, six)]
    return [np.asarray(each) for each in found]


@pytest.mark.parametrize("size", [(400, 600), (600, 400)], ids=["landscape", "portrait"])
def test_144crop_is_the_papers_144_views(size: tuple[int, int]) -> None:
    image = photo(*size)
    found, expected = counted(seen(image, "144crop", IMAGENET)), counted(googlenet_144(image))
    assert sum(expected.values()) == 144
    assert len(expected) == 144
    assert found == expected


def test_144crop_cuts_at_the_coordinates_worked_out_by_hand() -> None:
    # A 256 x 384 image needs no resizing at the first scale: squares start at 0, 64 and 128, crops in them at
    # 0, 16 (centre) and 32 = 256 - 224.
    rows, columns = np.mgrid[:256, :384]
    image = np.stack([rows % 256, columns // 256, columns % 256], axis=2).astype(np.uint8)
    views = get_protocol("144crop").views
    places = set()
    for view, cut in zip(views, looks(image, get_protocol("144crop"), IMAGENET), strict=True):
        if view.side == 256 and not view.mirrored and hasattr(view.area, "down"):
            places.add((int(cut[0, 0, 0]), int(cut[0, 0, 1]) * 256 + int(cut[0, 0, 2])))
    inside = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    assert places == {(top, square + left) for square in (0, 64, 128) for top, left in inside}


def test_12crop_is_the_centre_square_of_one_scale_and_says_that_this_is_unverified() -> None:
    image = photo(400, 600)
    expected = counted(googlenet_144(image)[12:24])
    assert counted(seen(image, "12crop", IMAGENET)) == expected
    assert "unverified" in get_protocol("12crop").note
    assert "unverified" in get_protocol("multiscale_resnet").note


# -- VGG's 150, section 3.2 ----------------------------------------------------------------------------------------


def test_150crop_is_a_5x5_grid_at_three_scales_and_its_mirror() -> None:
    image = photo(400, 600)
    expected = []
    for scale in (256, 384, 512):
        resized = np.asarray(TF.resize(Image.fromarray(image), scale))
        rows = [round((scale - 224) * step / 4) for step in range(5)]
        columns = [round((scale * 3 // 2 - 224) * step / 4) for step in range(5)]
        for top in rows:
            for left in columns:
                cut = resized[top : top + 224, left : left + 224]
                expected += [cut, cut[:, ::-1]]
    found = seen(image, "150crop", IMAGENET)
    assert len(counted(found)) == 150
    assert counted(found) == counted(expected)


# -- dense ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("dense", [256]),
        ("multiscale", [256, 384, 512]),
        ("multiscale_fixed", [224, 256, 288]),
        ("multiscale_resnet", [224, 256, 384, 480, 640]),
    ],
)
def test_dense_protocols_show_the_whole_image_at_the_papers_scales(name: str, sides: list[int]) -> None:
    image = photo(60, 90)
    found = {cut.shape[:2] for cut in looks(image, get_protocol(name), IMAGENET)}
    assert found == {(side, side * 3 // 2) for side in sides}
    assert list(shorter_sides(get_protocol(name), IMAGENET)) == sides
    assert get_protocol(name).dense
    assert all(isinstance(view.area, Whole) for view in get_protocol(name).views)


def test_scales_around_the_runs_own_follow_it() -> None:
    trained_at_384 = replace(IMAGENET, resize_pixels=384)
    assert shorter_sides(get_protocol("multiscale_fixed"), trained_at_384) == (352, 384, 416)  # VGG Table 4


# -- sizes in proportion -------------------------------------------------------------------------------------------


def test_scales_are_in_proportion_to_the_training_crop() -> None:
    inception = replace(IMAGENET, resize_pixels=342, crop_pixels=299)
    assert shorter_sides(get_protocol("144crop"), inception) == (342, 384, 427, 470)
    assert shorter_sides(get_protocol("10crop"), inception) == (342,)
    assert shorter_sides(get_protocol("10crop"), CIFAR) == (37,)
    assert shorter_sides(get_protocol("144crop"), CIFAR) == (37, 41, 46, 50)
    assert shorter_sides(get_protocol("center"), CIFAR) == (32,)


@given(st.integers(1, 2000))
def test_at_a_crop_of_224_the_papers_pixels_are_themselves(pixels: int) -> None:
    assert in_proportion(pixels, IMAGENET) == pixels


def test_small_images_in_memory_are_enlarged_before_they_are_cropped() -> None:
    image = photo(32, 32)
    expected = TenCrop(32)(Resize(37)(Image.fromarray(image)))
    for found, wanted in zip(seen(image, "10crop", CIFAR), expected, strict=True):
        np.testing.assert_array_equal(found, np.asarray(wanted))


def test_a_network_without_a_square_crop_takes_only_what_keeps_to_its_images() -> None:
    whole = Preprocess(None, None, (0.0,) * 3, (1.0,) * 3)
    image = photo(5, 7)
    np.testing.assert_array_equal(looks(image, get_protocol("center"), whole)[0], image)
    with pytest.raises(UsageError, match="not square; use --protocol center, flip, shift6 or shift18"):
        looks(image, get_protocol("10crop"), whole)


def test_an_image_smaller_than_the_crop_is_refused_where_nothing_resizes() -> None:
    with pytest.raises(ImageError, match="7 x 5 pixels cannot be cropped to 8 x 8"):
        looks(photo(5, 7), get_protocol("center"), replace(IMAGENET, resize_pixels=None, crop_pixels=8))


# -- on batches ----------------------------------------------------------------------------------------------------


@every_protocol
def test_adjusting_keeps_the_shape_and_leaves_the_images_alone(name: str) -> None:
    images = torch.rand(2, 3, 8, 6)
    before = images.clone()
    assert {adjust(images, view).shape for view in get_protocol(name).views} == {images.shape}
    assert torch.equal(images, before)


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_shifting_there_and_back_keeps_the_middle(down: int, right: int) -> None:
    images = torch.rand(1, 1, 9, 9)
    back: Tensor = shifted(shifted(images, down, right), -down, -right)
    inside = slice(3, -3)
    assert torch.equal(back[:, :, inside, inside], images[:, :, inside, inside])


def test_mirroring_twice_changes_nothing() -> None:
    assert torch.equal(mirrored(mirrored(ROWS)), adjust(ROWS, View()))


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_page_lists_every_protocol_with_its_views() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)
    assert {name: int(views) for name, views in rows} == VIEWS
