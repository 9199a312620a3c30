from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from cnnlab.data.colour import (
    PUBLISHED_EIGENVALUES,
    PUBLISHED_EIGENVECTORS,
    pca_noise,
    pca_normals,
    photometric,
    pixel_jitter,
)
from cnnlab.data.stats import Colours, colour_pca

INDICES = np.arange(3000)


def images(count: int, pixels: int = 8) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, pixels, pixels), dtype=torch.uint8, generator=random)


def test_pca_noise_is_the_papers_formula() -> None:
    values, axes = torch.tensor([0.2, 0.1, 0.05]), torch.linalg.qr(torch.randn(3, 3)).Q
    numbers = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    pixels = images(2)
    changed = pca_noise(pixels, numbers, values, axes, std=0.1)
    colour = sum(0.1 * numbers[0, i] * values[i] * axes[:, i] for i in range(3)) * 255
    expected = pixels[0] + colour[:, None, None]
    torch.testing.assert_close(changed[0], expected, atol=1e-4, rtol=0)
    assert torch.equal(changed[1], pixels[1].float())


def test_pca_noise_has_the_published_spread() -> None:
    values, axes = torch.tensor(PUBLISHED_EIGENVALUES), torch.tensor(PUBLISHED_EIGENVECTORS)
    torch.testing.assert_close(axes.T @ axes, torch.eye(3), atol=2e-4, rtol=0)
    black = torch.zeros(len(INDICES), 3, 1, 1)
    added = pca_noise(black, pca_normals(0, 0, INDICES), values, axes)[:, :, 0, 0] / 255
    along = (added @ axes).std(0)
    torch.testing.assert_close(along, 0.1 * values, rtol=0.05, atol=0)
    assert abs(float(added.mean())) < 1e-3


def test_the_published_axes_are_in_the_unit_of_colour_pca() -> None:
    # Covariance of RGB (0 to 255) over ImageNet's 1.2 million training images: theano_alexnet, pull request 18.
    covariance = [[5092.205, 4433.195, 3994.613], [4433.195, 4832.883, 4575.096], [3994.613, 4575.096, 5332.677]]
    rows = tuple(tuple(value / 255**2 for value in row) for row in covariance)
    values, axes = colour_pca(Colours((0.0,) * 3, (0.0,) * 3, rows, 1))
    torch.testing.assert_close(torch.tensor(PUBLISHED_EIGENVALUES), values, rtol=0.05, atol=0)
    alike = (axes * torch.tensor(PUBLISHED_EIGENVECTORS)).sum(0).abs()
    torch.testing.assert_close(alike, torch.ones(3), atol=1e-3, rtol=0)


def test_a_change_of_one_property_is_torchvisions() -> None:
    pixels = images(40)
    indices = np.arange(40)
    for amounts, theirs in (
        ((0.4, 0, 0), functional.adjust_brightness),
        ((0, 0.4, 0), functional.adjust_contrast),
        ((0, 0, 0.4), functional.adjust_saturation),
    ):
        changed = photometric(pixels, 1, 2, indices, *amounts)
        for before, after in zip(pixels, changed, strict=True):
            factors = torch.linspace(0.6, 1.4, 1601)
            known = before.float() / 255
            nearest = min(float((theirs(known, float(f)) * 255 - after).abs().max()) for f in factors[::8])
            assert nearest < 2.0  # a step of the factors moves a value by less than this


def test_factors_are_spread_over_their_range() -> None:
    grey = torch.full((len(INDICES), 3, 1, 1), 100.0)
    factors = photometric(grey, 0, 0, INDICES, 0.4, 0.0, 0.0)[:, 0, 0, 0] / 100
    assert 0.6 <= factors.min() < 0.61
    assert 1.39 < factors.max() <= 1.4
    assert abs(float(factors.mean()) - 1) < 0.02


def test_pixel_jitter_is_uniform_within_its_amount() -> None:
    changed = pixel_jitter(torch.full((50, 3, 16, 16), 128.0), 0, 0, np.arange(50), 20.0) - 128
    assert -20 <= changed.min() < -19.9
    assert 19.9 < changed.max() <= 20
    assert abs(float(changed.std()) - 20 / 3**0.5) < 0.1
    assert len(torch.unique(changed)) > 10_000
    assert pixel_jitter(images(2), 0, 0, np.arange(2), 20.0).amin() >= 0


@pytest.mark.parametrize("name", ["pca", "photometric", "jitter"])
def test_what_happens_to_an_image_depends_on_seed_epoch_and_index_alone(name: str) -> None:
    def change(pixels: torch.Tensor, seed: int, epoch: int, indices: np.ndarray) -> torch.Tensor:
        if name == "pca":
            numbers = pca_normals(seed, epoch, indices)
            values, axes = torch.tensor(PUBLISHED_EIGENVALUES), torch.tensor(PUBLISHED_EIGENVECTORS)
            return pca_noise(pixels, numbers, values, axes)
        if name == "photometric":
            return photometric(pixels, seed, epoch, indices, 0.4, 0.4, 0.4)
        return pixel_jitter(pixels, seed, epoch, indices, 20)

    pixels, before = images(12), images(12)
    indices = np.arange(12)
    whole = change(pixels, 1, 2, indices)
    assert torch.equal(pixels, before)
    assert (whole.dtype, whole.shape) == (torch.float32, pixels.shape)
    torch.testing.assert_close(change(pixels[5:7], 1, 2, indices[5:7]), whole[5:7])
    torch.testing.assert_close(change(pixels.float(), 1, 2, indices), whole)
    assert not torch.equal(change(pixels, 1, 3, indices), whole)
    assert not torch.equal(change(pixels, 2, 2, indices), whole)
