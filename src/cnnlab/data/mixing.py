"""Mixup and cutmix: two images and their labels become one.

An image is mixed with the one at the mirrored place of its batch, which the order of the epoch drew at
random. One share is drawn for a batch, as in the papers' own code, from the batch's first image.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from cnnlab.data.sampler import Indices, hashes, uniforms

_SHARE_STREAM, _ROW_STREAM, _COLUMN_STREAM = 340, 341, 342


def mixup(
    images: Tensor, labels: Tensor, seed: int, epoch: int, indices: Indices, alpha: float, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Blend images (N, C, H, W) and labels, with a share from Beta(alpha, alpha): labels float32 (N, K).

    `labels` are int64 (N,), or already soft. Zhang et al. 2017 (arXiv:1710.09412), section 2.
    """
    share = beta_share(seed, epoch, int(indices[0]), alpha)
    mixed = images.flip(0).lerp_(images, share)
    return mixed, _mix_labels(labels, share, num_classes)


def cutmix(
    images: Tensor, labels: Tensor, seed: int, epoch: int, indices: Indices, alpha: float, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of another image, and mix the labels by area: labels float32 (N, K).

    The rectangle has the image's aspect, an area of 1 - Beta(alpha, alpha), and its centre anywhere, so a
    part of it may lie outside. Yun et al. 2019 (arXiv:1905.04899), section 3.1.
    """
    height, width = images.shape[2:]
    side = (1 - beta_share(seed, epoch, int(indices[0]), alpha)) ** 0.5
    top, bottom = _span(height, side, uniforms(seed, epoch, indices[:1], _ROW_STREAM)[0])
    left, right = _span(width, side, uniforms(seed, epoch, indices[:1], _COLUMN_STREAM)[0])
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, _mix_labels(labels, kept, num_classes)


def beta_share(seed: int, epoch: int, index: int, alpha: float) -> float:
    """Draw one number from Beta(alpha, alpha)."""
    key = int(hashes(seed, epoch, [index], _SHARE_STREAM)[0])
    return float(np.random.Generator(np.random.PCG64(key)).beta(alpha, alpha))


def _span(size: int, share: float, centre: float) -> tuple[int, int]:
    half = share * size / 2
    return max(0, round(centre * size - half)), min(size, round(centre * size + half))


def _mix_labels(labels: Tensor, share: float, num_classes: int) -> Tensor:
    soft = labels if labels.is_floating_point() else F.one_hot(labels, num_classes).float()
    return soft.flip(0).lerp_(soft, share)
