"""Some images of a part, brought to a network's size and put in memory: what a short trial trains on."""

from __future__ import annotations

from typing import cast

import torch

from cnnlab.data.parts import Part, take
from cnnlab.data.photos import Photos, read_ahead
from cnnlab.errors import DataError, ImageError
from cnnlab.explain.embed import ready
from cnnlab.types import Preprocess


def sample(part: Part | Photos, count: int, preprocess: Preprocess, seed: int = 0) -> Part:
    """Up to `count` images of `part`, drawn by `seed`: uint8 (M, C, h, w) ready to normalise, and their labels.

    Photos that cannot be read are left out.

    Raises:
        DataError: there is no readable image.
    """
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(seed))[:count]
    if isinstance(part, Part):
        return take(part, order.numpy())
    numbers = order.tolist()
    read = list(read_ahead(lambda index: ready(part.read(index), preprocess), numbers))
    good = [place for place, image in enumerate(read) if not isinstance(image, ImageError)]
    if not good:
        raise DataError(f"none of {len(numbers)} photos could be read: {read[0] if read else 'there are none'}")
    images = torch.stack([cast(torch.Tensor, read[place]) for place in good])
    return Part(images, part.labels[order[good]], part.take(order[good].numpy()))
