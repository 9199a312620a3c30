"""Every network by name, written out: its builder, year, paper and canonical input."""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.errors import UsageError, nearest, unknown_name
from cnnlab.models import airnet, resnet_cifar
from cnnlab.models.layers import Network

RESNET = "He et al. 2015, arXiv:1512.03385"


@dataclass(frozen=True)
class Entry:
    """One network of the catalogue: how to build it, where it is from, and the side of its images.

    `sizes` is for inputs that are not square images: (L,) of a signal, (T, H, W) of a clip.
    """

    build: Callable[..., Network]
    year: int
    paper: str
    pixels: int
    in_channels: int = 3
    sizes: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """One canonical input, such as (3, 224, 224)."""
        return (self.in_channels, *(self.sizes or (self.pixels, self.pixels)))


MODELS: dict[str, Entry] = {
    "resnet20": Entry(resnet_cifar.resnet20, 2015, RESNET, 32),
    "resnet32": Entry(resnet_cifar.resnet32, 2015, RESNET, 32),
    "resnet44": Entry(resnet_cifar.resnet44, 2015, RESNET, 32),
    "resnet56": Entry(resnet_cifar.resnet56, 2015, RESNET, 32),
    "resnet110": Entry(resnet_cifar.resnet110, 2015, RESNET, 32),
    "resnet1202": Entry(resnet_cifar.resnet1202, 2015, RESNET, 32),
    "plain20": Entry(resnet_cifar.plain20, 2015, RESNET, 32),
    "plain32": Entry(resnet_cifar.plain32, 2015, RESNET, 32),
    "plain44": Entry(resnet_cifar.plain44, 2015, RESNET, 32),
    "plain56": Entry(resnet_cifar.plain56, 2015, RESNET, 32),
    "plain110": Entry(resnet_cifar.plain110, 2015, RESNET, 32),
    "airnet": Entry(airnet.airnet, 2026, "cnnlab's own", 32),
}


def list_models(pattern: str = "*") -> list[str]:
    """The names that match a shell pattern such as `resnet*`, in the catalogue's order."""
    return fnmatch.filter(MODELS, pattern)


def require_model(name: str) -> Entry:
    """The catalogue's entry for `name`.

    Raises:
        UnknownNameError: there is no such network; the message offers the nearest names.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    return MODELS[name]


def create_model(name: str, **options: object) -> Network:
    """A new, randomly initialised network.

    Args:
        name: one of `list_models()`.
        **options: the builder's own arguments, such as `num_classes`, `in_channels` or `shortcut`.

    Raises:
        UnknownNameError: there is no such network; the message offers the nearest names.
        UsageError: the network has no such option.
    """
    build = require_model(name).build
    known = inspect.signature(build).parameters
    for option in options:
        if option not in known:
            close = nearest(option, known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"model {name!r} has no option {option!r}; {hint}known: {', '.join(known)}")
    return build(**options)
