"""Less of a data set, for what takes long in full: fewer training images, smaller images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cnnlab.data.parts import Part, Parts, fingerprint, in_memory, take
from cnnlab.data.preprocess import resize
from cnnlab.data.splits import few_of_each
from cnnlab.errors import UsageError
from cnnlab.types import Interpolation


def with_train_images(parts: Parts, count: int) -> Parts:
    """The set with `count` training images, as many of each class as of any other; always the same ones.

    Raises:
        UsageError: there are not so many, or they are photos on disk.
    """
    train = in_memory(parts.train)
    fewer = take(train, few_of_each(train.labels.numpy(), count))
    return replace(parts, train=fewer, sha256=fingerprint(fewer, parts.val, parts.test))


def with_pixels(parts: Parts, pixels: int) -> Parts:
    """The set with images of `pixels` a side, resized as the preprocessing resizes any image: antialiased, bilinear.

    Raises:
        UsageError: that would enlarge them, or they are photos on disk.
    """
    side = in_memory(parts.train).images.shape[-1]
    if not 1 <= pixels <= side:
        raise UsageError(f"images of {side} pixels cannot be brought to {pixels}; give 1 to {side}")
    train, val = (resized(in_memory(part), pixels) for part in (parts.train, parts.val))
    test = None if parts.test is None else resized(in_memory(parts.test), pixels)
    return replace(parts, train=train, val=val, test=test, sha256=fingerprint(train, val, test))


def resized(part: Part, pixels: int) -> Part:
    """The part with images of `pixels` a side, uint8 (N, C, pixels, pixels)."""
    channels = part.images.shape[1]
    images = np.empty((len(part), channels, pixels, pixels), np.uint8)
    for place, image in enumerate(part.images.permute(0, 2, 3, 1).numpy()):
        images[place] = resize(image, pixels, pixels, Interpolation.BILINEAR).transpose(2, 0, 1)
    return Part(torch.from_numpy(images), part.labels, part.photos)
