from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnlab.data.geometry import angles, centres, cut_out, erase, rotate


def images(count: int = 6, height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.randint(1, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(0)).byte()


def test_quarter_turns_are_exact() -> None:
    square = images(2, 9, 9)
    assert torch.equal(rotate(square, torch.tensor([90.0, 180.0]))[0], torch.rot90(square[0], 1, (1, 2)))
    assert torch.equal(rotate(square, torch.tensor([90.0, 180.0]))[1], torch.rot90(square[1], 2, (1, 2)))
    assert torch.equal(rotate(square, torch.zeros(2)), square)


def test_a_turn_of_a_wide_image_keeps_lengths() -> None:
    disc = torch.zeros(1, 1, 41, 61)
    rows, columns = torch.meshgrid(torch.arange(41) - 20, torch.arange(61) - 30, indexing="ij")
    disc[0, 0] = ((rows**2 + (columns - 10) ** 2) < 30).float()
    turned = rotate(disc, torch.tensor([90.0]))[0, 0]
    assert abs(float(turned.sum() - disc.sum())) < 1
    centre = (turned * rows).sum() / turned.sum(), (turned * columns).sum() / turned.sum()
    assert float(centre[0]) == pytest.approx(-10, abs=0.1)
    assert float(centre[1]) == pytest.approx(0, abs=0.1)


def test_what_comes_in_is_zero() -> None:
    assert rotate(torch.ones(1, 3, 10, 10), torch.tensor([45.0]))[0, :, 0, 0].abs().max() == 0


def test_angles_are_uniform() -> None:
    drawn = angles(0, 0, np.arange(4000), 15.0)
    assert -15 <= drawn.min() < -14.9
    assert 14.9 < drawn.max() <= 15
    assert abs(float(drawn.std()) - 15 / 3**0.5) < 0.2


def erased(changed: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    return (changed != before).any(1)


def test_half_of_the_images_lose_a_rectangle_of_the_papers_areas() -> None:
    before = torch.full((1000, 1, 40, 60), 7.0)
    lost = erased(erase(before, 0, 0, np.arange(1000)), before)
    shares = lost.float().mean((1, 2))
    assert abs(float((shares > 0).float().mean()) - 0.5) < 0.05
    some = shares[shares > 0]
    assert float(some.min()) < 0.03
    assert 0.35 < float(some.max()) <= 0.42
    assert abs(float(some.mean()) - 0.21) < 0.02
    for each in lost[shares > 0][:50]:
        rows, columns = each.any(1).nonzero()[:, 0], each.any(0).nonzero()[:, 0]
        assert each.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    assert lost.any(0).float().mean() > 0.99  # also the borders


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_erasing_depends_on_seed_epoch_and_index_alone(kind: torch.dtype) -> None:
    pixels, indices = images(16).to(kind), np.arange(16)
    before = pixels.clone()
    whole = erase(pixels, 1, 2, indices, 0.9)
    assert whole.dtype == kind
    assert torch.equal(pixels, before)
    assert torch.equal(erase(pixels[4:7], 1, 2, indices[4:7], 0.9), whole[4:7])
    assert not torch.equal(erase(pixels, 1, 3, indices, 0.9), whole)
    assert torch.equal(erase(pixels, 1, 2, indices, 0.0), pixels)


@pytest.mark.parametrize("pixels", [1, 5, 12, 40])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_a_square_about_its_centre_is_cut_out_as_far_as_it_is_inside(pixels: int, kind: torch.dtype) -> None:
    before = images(20).to(kind)
    shares = torch.from_numpy(centres(0, 3, np.arange(20)))
    expected = before.clone()
    for each, row, column in zip(expected, *shares.tolist(), strict=True):
        top, left = int(row * 20) - pixels // 2, int(column * 30) - pixels // 2
        each[:, max(0, top) : max(0, top + pixels), max(0, left) : max(0, left + pixels)] = 0
    cut = cut_out(before, shares, pixels)
    assert cut.dtype == kind
    assert torch.equal(cut, expected)
    assert (before > 0).all()


def test_the_last_row_is_as_far_as_a_rounded_centre_goes() -> None:
    cut = cut_out(torch.ones(1, 1, 8, 8), torch.ones(2, 1), 1)
    assert (cut == 0).nonzero().tolist() == [[0, 0, 7, 7]]


def test_centres_are_everywhere_alike_and_depend_on_seed_epoch_and_index_alone() -> None:
    drawn = centres(0, 0, np.arange(10_000))
    assert np.allclose(np.histogram2d(*drawn, bins=4, range=[[0, 1], [0, 1]])[0], 625, atol=125)
    assert np.array_equal(centres(0, 0, np.arange(50, 60)), drawn[:, 50:60])
    assert not np.array_equal(centres(0, 1, np.arange(10)), drawn[:, :10])
    assert not np.array_equal(centres(1, 0, np.arange(10)), drawn[:, :10])


def test_a_square_of_12_of_32_pixels_covers_a_ninth_of_an_image() -> None:
    cut = cut_out(torch.ones(5_000, 1, 32, 32), torch.from_numpy(centres(0, 0, np.arange(5_000))), 12)
    inside = 12 - (21 + 15) / 32  # of a side, in the mean: up to 6 of its pixels are outside, or 5 at the other end
    assert float((cut == 0).float().mean()) == pytest.approx((inside / 32) ** 2, rel=0.02)
