"""Which networks of the catalogue a file's entries look like, to say so when they do not fit."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import torch
from torch import nn

from cnnlab.errors import DataError
from cnnlab.models.catalog import create_model
from cnnlab.models.recognise import GENERAL, MOST_ENTRIES
from cnnlab.models.table import read_table
from cnnlab.models.weight_names import AUXILIARY, classifying, head_name, rename

Shapes = Mapping[str, tuple[int, ...]]
ALIKE = 0.9  # the share of entries that have to agree


def looks_like(found: Shapes, network: nn.Module | None = None) -> list[str]:
    """The networks whose entries agree best with `found`, where that is well and better than `network` does, if given.

    Several, when they differ in nothing that a file shows, such as `resnet50` and `resnet50_v1`. Numbers of
    classes, counters and auxiliary heads do not matter. Takes a second or two: it builds, without memory, the
    networks of the catalogue that have between half and twice as many numbers.
    """
    if len(found) > MOST_ENTRIES:
        return []
    scores = {name: likeness(found, *_signature(name)) for name in _of_like_size(found)}
    best = max(scores.values(), default=0.0)
    if best < ALIKE:
        return []
    if network is not None and best <= likeness(found, shapes_of(network), head_name(network)):
        return []
    alike = [name for name, score in scores.items() if score == best]
    return [name for name in alike if name not in GENERAL] or alike


def _of_like_size(found: Shapes) -> list[str]:
    numbers = sum(math.prod(shape) for shape in found.values())
    return [row.name for row in read_table() if numbers / 2 <= row.parameters <= 2 * numbers]


def likeness(found: Shapes, ours: Shapes, head: str) -> float:
    """The share of all entries, of the file and of our network with that `head`, that agree in name and shape."""
    try:
        theirs = rename(found, ours, head).theirs
    except DataError:
        return 0.0
    names = {name for name in {*theirs, *ours} if _counts(name)}
    alike = sum(
        _same(found[theirs[name]], ours[name], classifying(name, head))
        for name in names
        if name in theirs and name in ours
    )
    return alike / max(len(names), 1)


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of every entry of a network's state_dict."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@functools.cache
def _signature(name: str) -> tuple[Shapes, str]:
    with torch.device("meta"):  # shapes only: nothing is allocated or drawn
        network = create_model(name)
    return shapes_of(network), head_name(network)


def _counts(name: str) -> bool:
    return not name.endswith("num_batches_tracked") and not name.startswith(AUXILIARY)


def _same(theirs: tuple[int, ...], ours: tuple[int, ...], of_classes: bool) -> bool:
    return theirs[1:] == ours[1:] if of_classes else theirs == ours
