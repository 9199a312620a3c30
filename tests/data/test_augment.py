from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.augment import (
    Border,
    alternating_flip_mask,
    crop_offsets,
    downsample,
    flip,
    flip_mask,
    pad_crop,
    pad_crop_flip,
)

channels_last = torch.channels_last


def one_by_one(images, rows, columns, mask, pixels, mode):  # type: ignore[no-untyped-def]
    kind = {"zero": "constant", "reflect": "reflect"}[mode]
    padded = F.pad(images.float(), (pixels,) * 4, mode=kind).to(images.dtype)
    _, _, height, width = images.shape
    cut = [x[:, r : r + height, c : c + width] for x, r, c in zip(padded, rows, columns, strict=True)]
    return torch.stack([x.flip(2) if m else x for x, m in zip(cut, mask, strict=True)])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9),
    st.sampled_from([1, 3]),
    st.integers(5, 9),
    st.integers(5, 9),
    st.integers(0, 4),
    st.sampled_from(["zero", "reflect"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_crop_and_flip_equal_a_loop_over_images(
    count: int, channels: int, height: int, width: int, pixels: int, mode: Border, whole: bool, last: bool, seed: int
) -> None:
    images = torch.randint(0, 256, (count, channels, height, width))
    images = images.to(torch.uint8) if whole else images.float() / 99 - 1
    images = images.contiguous(memory_format=channels_last) if last else images
    indices = np.arange(count)
    rows, columns = crop_offsets(seed, 0, indices, pixels)
    mask = flip_mask(seed, 0, indices)
    result = pad_crop_flip(images, rows, columns, mask, pixels, mode)
    assert torch.equal(result, one_by_one(images, rows, columns, mask, pixels, mode))
    assert result.dtype == images.dtype
    assert result.is_contiguous(memory_format=channels_last)
    assert torch.equal(result, flip(pad_crop(images, rows, columns, pixels, mode), mask))


def test_flip_keeps_the_layout() -> None:
    images = torch.rand(4, 3, 5, 6).contiguous(memory_format=channels_last)
    mask = np.array([True, False, True, False])
    flipped = flip(images, mask)
    assert flipped.is_contiguous(memory_format=channels_last)
    assert torch.equal(flipped[0], images[0].flip(2))
    assert torch.equal(flipped[1], images[1])


def test_offsets_cover_all_places_evenly() -> None:
    rows, columns = crop_offsets(0, 0, np.arange(9000), 4)
    for offsets in (rows, columns):
        assert np.abs(np.bincount(offsets, minlength=9) - 1000).max() < 150
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.04


def test_draws_do_not_depend_on_the_batch() -> None:
    indices = np.array([5, 900, 17])
    rows, _ = crop_offsets(3, 2, indices, 4)
    alone, _ = crop_offsets(3, 2, np.array([900]), 4)
    assert rows[1] == alone[0]
    assert flip_mask(3, 2, indices)[2] == flip_mask(3, 2, np.array([17]))[0]


def test_flip_probability() -> None:
    indices = np.arange(20_000)
    assert not flip_mask(0, 0, indices, 0.0).any()
    assert flip_mask(0, 0, indices, 1.0).all()
    assert abs(flip_mask(0, 0, indices, 0.3).mean() - 0.3) < 0.02


def test_alternating_flip_shows_both_sides_in_two_epochs() -> None:
    indices = np.arange(1000)
    masks = [alternating_flip_mask(7, epoch, indices) for epoch in range(4)]
    assert abs(masks[0].mean() - 0.5) < 0.06
    assert (masks[0] ^ masks[1]).all()
    assert np.array_equal(masks[0], masks[2])
    assert np.array_equal(masks[1], masks[3])


def test_downsample_averages_and_keeps_the_layout() -> None:
    images = torch.rand(2, 3, 32, 32).contiguous(memory_format=channels_last)
    small = downsample(images, 16)
    assert small.shape == (2, 3, 16, 16)
    assert small.is_contiguous(memory_format=channels_last)
    assert small.mean().item() == pytest.approx(images.mean().item(), abs=0.01)
    assert downsample(images, 32) is images
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    blurred = downsample(checks.float().expand(1, 1, 32, 32), 8)
    assert (blurred - 0.5).abs().max() < 0.1  # antialiased: no moiré
