"""What single pixels and patches mean to a class: gradient, integrated gradients, occlusion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cnnlab.errors import UsageError
from cnnlab.explain.layers import evaluating
from cnnlab.models.layers import Network

CHUNK = 32  # images run at once


def gradients(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Gradient of the target's logit by normalised images, (N, C, H, W). Simonyan et al. 2013 (arXiv:1312.6034)."""
    with evaluating(network), torch.enable_grad():
        images = images.detach().requires_grad_()
        chosen = network(images).gather(1, targets[:, None]).sum()
        [gradient] = torch.autograd.grad(chosen, images)
    return gradient


def integrated_gradients(
    network: Network, images: Tensor, targets: Tensor, *, baseline: float = 0.0, steps: int = 50
) -> Tensor:
    """What each value adds to the target's logit, (N, C, H, W). Sundararajan et al. 2017 (arXiv:1703.01365, eq. 1).

    The path goes straight from an image of `baseline` (0: the data's mean colour) to the image; its `steps` points
    are those of Gauss and Legendre. The numbers of an image sum to its logit less that of the baseline image.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    path = (images - baseline).detach()
    total = torch.zeros_like(images)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        total += weight / 2 * gradients(network, baseline + (node + 1) / 2 * path, targets)
    return total * path


@torch.no_grad()
def occlusion(
    network: Network,
    images: Tensor,
    targets: Tensor,
    *,
    window: int,
    stride: int,
    baseline: float = 0.0,
) -> Tensor:
    """How much the target's logit falls where a square is covered, (N, H, W). Zeiler and Fergus 2013, section 4.2.

    A square of `window` pixels a side filled with `baseline` (0: the data's mean colour) goes over the image by
    `stride`; a pixel's number is the mean over the squares that cover it.

    Raises:
        UsageError: window or stride is below 1, or the stride leaves pixels uncovered.
    """
    if not 1 <= stride <= window <= min(images.shape[2:]):
        raise UsageError(
            f"window {window} and stride {stride} for images of {tuple(images.shape[2:])}; "
            f"give 1 <= stride <= window <= the image's side"
        )
    places = list(_places(images.shape[2], images.shape[3], window, stride))
    with evaluating(network):
        found = [_occlude(network, *each, places, window, baseline) for each in zip(images, targets, strict=True)]
    return torch.stack(found)


def _occlude(
    network: Network, image: Tensor, target: Tensor, places: list[tuple[int, int]], window: int, baseline: float
) -> Tensor:
    before = network(image[None])[0, target]
    total, count = torch.zeros_like(image[0]), torch.zeros_like(image[0])
    for first in range(0, len(places), CHUNK):
        chunk = places[first : first + CHUNK]
        covered = image.repeat(len(chunk), 1, 1, 1)
        for each, (top, left) in zip(covered, chunk, strict=True):
            each[:, top : top + window, left : left + window] = baseline
        for fall, (top, left) in zip((before - network(covered)[:, target]).tolist(), chunk, strict=True):
            total[top : top + window, left : left + window] += fall
            count[top : top + window, left : left + window] += 1
    return total / count


def _places(height: int, width: int, window: int, stride: int) -> Iterator[tuple[int, int]]:
    """Upper left corners; the last row and column of squares end at the border."""
    for top in _starts(height, window, stride):
        for left in _starts(width, window, stride):
            yield top, left


def _starts(length: int, window: int, stride: int) -> list[int]:
    starts = list(range(0, length - window + 1, stride))
    return starts if starts[-1] == length - window else [*starts, length - window]
