"""Random changes of colours, before an image is normalised.

Images are uint8 or float32 in 0 to 255, (N, C, H, W); the result is float32, which `normalise` takes as it
is. What happens to an image is a function of (seed, epoch, index).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cnnlab.data.sampler import Indices, generator, normals, uniforms

PUBLISHED_EIGENVALUES = (0.2175, 0.0188, 0.0045)
PUBLISHED_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""The colour PCA widely used for ImageNet, in the unit of `stats.colour_pca`: eigenvalues of the covariance of RGB in
[0, 1]; a column is an axis. From fb.resnet.torch."""

_GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision
_PCA_STREAM, _ORDER_STREAM, _FACTOR_STREAM, _JITTER_STREAM = 300, 303, 306, 309


def pca_normals(seed: int, epoch: int, indices: Indices) -> Tensor:
    """Draw the three numbers of each image's colour noise from N(0, 1): float32 (N, 3)."""
    drawn = [normals(seed, epoch, indices, _PCA_STREAM + i) for i in range(3)]
    return torch.from_numpy(np.stack(drawn, axis=1)).float()


def pca_noise(images: Tensor, numbers: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, std: float = 0.1) -> Tensor:
    """Add one colour to each image: its axes times eigenvalues times `std` times `numbers` (N, 3).

    `eigenvalues` (3,) and `eigenvectors` (3, 3), an axis a column, are those of RGB in [0, 1]; see
    `stats.colour_pca`. Krizhevsky et al. 2012, section 4.1. Values may leave 0 to 255, as in the paper.
    """
    colours = (std * numbers * eigenvalues) @ eigenvectors.T * 255
    return images.float() + colours.to(images.device)[:, :, None, None]


def photometric(
    images: Tensor, seed: int, epoch: int, indices: Indices, brightness: float, contrast: float, saturation: float
) -> Tensor:
    """Change brightness, contrast and saturation of RGB images, each by a factor in 1 +- its amount.

    The order is drawn for each image. Howard 2013 (arXiv:1312.5402), section 3; each is torchvision's
    blend with black, with the mean grey and with the grey image.
    """
    amounts = np.array([brightness, contrast, saturation])
    order = np.argsort([uniforms(seed, epoch, indices, _ORDER_STREAM + i) for i in range(3)], axis=0)
    factors = np.stack([1 + amounts[i] * _symmetric(seed, epoch, indices, _FACTOR_STREAM + i) for i in range(3)])
    images = images.float()
    for kinds in order:
        chosen = torch.from_numpy(factors[kinds, np.arange(len(kinds))]).float()
        images = _blend(images, torch.from_numpy(kinds), chosen)
    return images


def pixel_jitter(images: Tensor, seed: int, epoch: int, indices: Indices, amount: float) -> Tensor:
    """Add to every value its own number in +- `amount` (of 255), as the released SENet did (20)."""
    noise = [
        torch.empty(images.shape[1:], device=images.device).uniform_(-amount, amount, generator=random)
        for random in (generator(seed, epoch, index, _JITTER_STREAM, images.device) for index in indices)
    ]
    return (images.float() + torch.stack(noise)).clamp_(0, 255)


def _blend(images: Tensor, kinds: Tensor, factors: Tensor) -> Tensor:
    """Move each image away from black (kind 0), its mean grey (1) or its grey image (2), by its factor."""
    weights = torch.tensor(_GREY, device=images.device).view(1, 3, 1, 1)
    grey = (images * weights).sum(1, keepdim=True)
    kinds, factors = (each.to(images.device).view(-1, 1, 1, 1) for each in (kinds, factors))
    base = torch.where(kinds == 2, grey, grey.mean((2, 3), keepdim=True))
    return torch.lerp(base * (kinds != 0), images, factors).clamp_(0, 255)


def _symmetric(seed: int, epoch: int, indices: Indices, stream: int) -> np.ndarray:
    return 2 * uniforms(seed, epoch, indices, stream) - 1
