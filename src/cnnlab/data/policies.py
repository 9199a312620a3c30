"""RandAugment and TrivialAugment: torchvision's own, each image with the random numbers of its index."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cnnlab.data.sampler import Indices, hashes
from cnnlab.errors import UsageError

_STREAM = 350


def rand_augment(images: Tensor, seed: int, epoch: int, indices: Indices, num_ops: int, magnitude: int) -> Tensor:
    """Change uint8 images (N, C, H, W) by `num_ops` random operations of strength `magnitude` (0 to 30).

    Cubuk et al. 2019 (arXiv:1909.13719). Raises `UsageError` for images that are not uint8.
    """
    from torchvision.transforms import v2

    return _each(v2.RandAugment(num_ops, magnitude), images, seed, epoch, indices)


def trivial_augment(images: Tensor, seed: int, epoch: int, indices: Indices) -> Tensor:
    """Change uint8 images (N, C, H, W) by one random operation of random strength ("wide").

    Müller and Hutter 2021 (arXiv:2103.10158). Raises `UsageError` for images that are not uint8.
    """
    from torchvision.transforms import v2

    return _each(v2.TrivialAugmentWide(), images, seed, epoch, indices)


def _each(policy: Callable[[Tensor], Tensor], images: Tensor, seed: int, epoch: int, indices: Indices) -> Tensor:
    """Apply a policy to each image; torchvision draws from torch's own CPU generator, which is given back as it was."""
    if images.dtype != torch.uint8:
        raise UsageError(f"images are {images.dtype}; RandAugment and TrivialAugment come first, on uint8 images")
    changed = []
    with torch.random.fork_rng(devices=[]):
        for image, bits in zip(images, hashes(seed, epoch, indices, _STREAM), strict=True):
            torch.default_generator.manual_seed(int(bits >> 1))
            changed.append(policy(image))
    return torch.stack(changed)
