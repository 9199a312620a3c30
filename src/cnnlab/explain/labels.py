"""Whether labels go with their images, asked without the network: random filters and a linear reader.

After Coates, Lee and Ng 2011 ("An analysis of single-layer networks"): random patches of the images are the filters,
their positive responses averaged over a 2x2 grid the features; a ridge regression reads the class from them on one
half of the images and is tested on the other. Shuffled labels leave it at chance, whatever the network does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

FILTERS = 200
PATCH_PIXELS = 6
LEAST_IMAGES = 200  # tested ones; with fewer, chance can look like anything
RIDGE = 1.0  # in deviations of a feature


@dataclass(frozen=True)
class LabelCheck:
    """How well a linear reader of random features tells the classes of `images` it has not seen.

    `chance` is the share of the commonest class; `z` how many standard errors `top1` lies above it.
    """

    top1: float
    chance: float
    images: int

    @property
    def z(self) -> float:
        """Standard errors of the binomial between `top1` and `chance`."""
        error = math.sqrt(max(self.chance * (1 - self.chance), 1e-12) / max(self.images, 1))
        return (self.top1 - self.chance) / error


def check_labels(images: Tensor, labels: Tensor, seed: int = 0) -> LabelCheck | None:
    """Test whether labels (N,) can be read from float images (N, C, H, W); None where N is too small to say.

    Takes about a second for 2,000 images of 32 pixels a side, and memory for N x 800 numbers.
    """
    half = len(images) // 2
    if half < LEAST_IMAGES or min(images.shape[2:]) < 2 * PATCH_PIXELS:
        return None
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator).to(images.device)
    features = random_features(images, generator)[order]
    labels = labels[order]
    features = (features - features[:half].mean(0)) / features[:half].std(0).clamp_min(1e-6)
    weights = _ridge(features[:half], labels[:half], int(labels.max()) + 1)
    guessed = (features[half:] @ weights).argmax(dim=1)
    tested = labels[half:]
    return LabelCheck(
        top1=float((guessed == tested).float().mean()),
        chance=float(labels.bincount().max()) / len(labels),
        images=len(tested),
    )


@torch.no_grad()
def random_features(images: Tensor, generator: torch.Generator) -> Tensor:
    """Positive responses (N, 4 * FILTERS) to patches drawn from the images themselves, each of mean 0 and norm 1."""
    if max(images.shape[2:]) > 48:
        images = F.interpolate(images, size=(32, 32), mode="area")
    images = (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    filters = _patches(images, generator)
    maps = [F.relu(F.conv2d(chunk, filters, stride=2) - 1) for chunk in torch.split(images, 250)]
    return torch.cat([F.adaptive_avg_pool2d(each, 2).flatten(1) for each in maps])


def _patches(images: Tensor, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    which, top, left = (
        torch.randint(limit, (FILTERS,), generator=generator).tolist()
        for limit in (count, height - PATCH_PIXELS + 1, width - PATCH_PIXELS + 1)
    )
    drawn = [images[n, :, y : y + PATCH_PIXELS, x : x + PATCH_PIXELS] for n, y, x in zip(which, top, left, strict=True)]
    patches = torch.stack(drawn)
    patches = patches - patches.mean((1, 2, 3), keepdim=True)
    sizes: Tensor = patches.flatten(1).norm(dim=1).clamp_min(1e-3).view(-1, 1, 1, 1)
    return patches / sizes


def _ridge(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    wanted = F.one_hot(labels, num_classes).to(features)
    wanted = wanted - wanted.mean(0)
    gram = features.T @ features + RIDGE * len(features) * torch.eye(features.shape[1], device=features.device)
    weights: Tensor = torch.linalg.solve(gram, features.T @ wanted)
    return weights
