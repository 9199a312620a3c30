"""Test protocols: which views of an image a network sees, and how its answers are averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from cnnlab.errors import unknown_name

View = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Protocol:
    """Views of a batch (N, C, H, W), each with its weight in the average of softmax probabilities."""

    name: str
    views: tuple[tuple[View, float], ...]


def as_is(images: Tensor) -> Tensor:
    """The images themselves."""
    return images


def mirrored(images: Tensor) -> Tensor:
    """The images mirrored left to right."""
    return images.flip(3)


def shifted(pixels: int) -> View:
    """A view moved by `pixels` down and right (negative: up and left), edges repeated by reflection."""

    def view(images: Tensor) -> Tensor:
        border = abs(pixels)
        padded = F.pad(images, (border,) * 4, mode="reflect")
        start = border - pixels
        return padded[:, :, start : start + images.shape[2], start : start + images.shape[3]]

    return view


def both(first: View, second: View) -> View:
    """The view `second` of the view `first`."""
    return lambda images: second(first(images))


PROTOCOLS: dict[str, Protocol] = {
    "center": Protocol("center", ((as_is, 1.0),)),
    "flip": Protocol("flip", ((as_is, 0.5), (mirrored, 0.5))),
    # The image and its mirror for half of the weight, both moved by a pixel either way for the rest (Jordan 2024).
    "shift6": Protocol(
        "shift6",
        (
            (as_is, 0.25),
            (mirrored, 0.25),
            (shifted(-1), 0.125),
            (both(shifted(-1), mirrored), 0.125),
            (shifted(1), 0.125),
            (both(shifted(1), mirrored), 0.125),
        ),
    ),
}


def get_protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
    """
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
