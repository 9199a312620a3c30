"""Which networks of the catalogue a file's entries fit exactly, with the options that its shapes show."""

from __future__ import annotations

import functools
import inspect
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from cnnlab.errors import DataError, UsageError
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.models.layers import Network
from cnnlab.models.table import read_table
from cnnlab.models.weight_names import AUXILIARY, count_renamed, head_name, norm_after, rename

Shapes = Mapping[str, tuple[int, ...]]
Options = Mapping[str, object]

GENERAL = ("resnet_cifar", "resnetv2_cifar", "wrn_cifar", "densenet_cifar", "resnext_cifar", "vgg_cifar", "plain_cifar")
"""Networks of any depth and width: they are meant where no network of a fixed shape fits."""


MOST_ENTRIES = 10_000
"""Files with more are not held against the catalogue, which would take a minute; ResNet-1202 has 7,208."""


@dataclass(frozen=True)
class Candidate:
    """A network of ours that a file fits, name for name and shape for shape.

    Attributes:
        model: its name in the catalogue.
        options: of its builder, `num_classes` and `in_channels` among them; those that are not here have defaults.
        what: what tells it from its twins, in a few words; empty where it has none.
    """

    model: str
    options: Options = field(default_factory=dict)
    what: str = ""

    def create(self) -> Network:
        """The network, with weights of its own."""
        return create_model(self.model, **self.options)

    def own_options(self) -> dict[str, object]:
        """The options but for the numbers of classes and channels."""
        return {name: value for name, value in self.options.items() if name not in ("num_classes", "in_channels")}

    def __str__(self) -> str:
        """The network as the command line takes it, such as `resnet20 --set shortcut=B`."""
        return " ".join([self.model, *(f"--set {name}={_spelt(value)}" for name, value in self.own_options().items())])


def recognise(found: Shapes) -> list[Candidate]:
    """The networks that `found`, a file's entries, fit exactly; of twins all, in the catalogue's order.

    Takes a second or two: it builds, without memory, the networks that are of like size.
    """
    if len(found) > MOST_ENTRIES:
        return []
    fits = [candidate for name in _of_like_size(found) if (candidate := fit(name, found)) is not None]
    fixed = [each for each in fits if each.model not in GENERAL]
    same = {frozenset(entries_of(each).items()) for each in fixed}
    return fixed + [each for each in fits if each not in fixed and frozenset(entries_of(each).items()) not in same]


def fit(name: str, found: Shapes, given: Options | None = None) -> Candidate | None:
    """The network called `name` with the options that `found` shows, or None where it does not fit exactly.

    Options `given` are not asked of the file.
    """
    default = _signature(name)
    try:
        theirs = rename(found, default.shapes, default.head).theirs
        shown = _shown(name, {mine: found[theirs[mine]] for mine in theirs}, default.head)
        candidate = Candidate(name, {**shown, **(given or {})})
        wanted = _signature_of(candidate) if candidate.options else default
        renamed = rename(found, wanted.shapes, wanted.head).theirs
    except (DataError, UsageError, TypeError, ValueError, ZeroDivisionError, RuntimeError):
        return None
    named = {mine: found[other] for mine, other in renamed.items()}
    return candidate if _fits(named, wanted.shapes, wanted.idle_biases) else None


def entries_of(candidate: Candidate) -> dict[str, tuple[int, ...]]:
    """The shape of every entry of a candidate's state_dict that is weights or statistics."""
    shapes = _signature_of(candidate).shapes
    return {name: shape for name, shape in shapes.items() if not name.endswith("num_batches_tracked")}


def _fits(named: Shapes, wanted: Shapes, idle_biases: bool) -> bool:
    counted = {name for name in wanted if not name.endswith("num_batches_tracked")}
    more = {name for name in named if name not in wanted and not name.endswith("num_batches_tracked")}
    if idle_biases:
        more -= {name for name in more if norm_after(name, wanted)}
    same = all(name in named and _same(named[name], wanted[name]) for name in counted)
    return same and not {name for name in more if not name.startswith(AUXILIARY)}


def _same(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    if {len(theirs), len(ours)} == {2, 4}:  # a linear layer, or the convolution that sees its whole map
        return theirs[0] == ours[0] and math.prod(theirs) == math.prod(ours)
    return theirs == ours


# -- what shapes show ------------------------------------------------------------------------------------------


def _shown(name: str, named: Shapes, head: str) -> dict[str, object]:
    """The options of the network called `name` as `named` shows them, where they are not the defaults."""
    known = inspect.signature(MODELS[name].build).parameters
    found: dict[str, object] = {}
    for option, rule in RULES.items():
        if option in known and (value := rule(named, head)) is not None and value != known[option].default:
            found[option] = value
    return found


def _num_classes(named: Shapes, head: str) -> int | None:
    return _first(named.get(f"{head}.weight"))


def _in_channels(named: Shapes, head: str) -> int | None:
    first = next((shape for name, shape in named.items() if name.endswith("weight") and len(shape) > 2), None)
    return first[1] if first else None


def _shortcut(named: Shapes, head: str) -> str:
    projections = {name.partition(".downsample")[0] for name in named if ".downsample." in name}
    blocks = {found[0] for name in named if (found := re.match(r".*?\d+\.(?:blocks\.)?\d+(?=\.)", name))}
    if not projections:
        return "A"
    return "C" if projections == blocks else "B"


def _layers(named: Shapes, head: str) -> int | list[int] | None:
    dense = re.compile(r"features\.denseblock(\d+)\.denselayer(\d+)\.norm1\.weight")
    found = [(int(match[1]), int(match[2])) for name in named if (match := dense.match(name))]
    if "features.conv0.weight" in named:
        return [max(layer for block, layer in found if block == number) for number in sorted(dict(found))]
    weights = [name for name, shape in named.items() if name.endswith("weight") and len(shape) > 1]
    wide = "bn.weight" in named  # a Wide ResNet's depth counts two layers more than there are: 6n + 4
    return sum(".downsample" not in name for name in weights) + 2 * wide


def _width(named: Shapes, head: str) -> int | None:
    stems = ("conv1.weight", "stem.conv.weight", "stem.0.weight", "features.0.weight")
    return _first(next((named[name] for name in stems if name in named), None))


def _widen(named: Shapes, head: str) -> int | None:
    first = _first(named.get("layer1.0.conv1.weight"))
    return first // 16 or None if first else None


def _hidden(named: Shapes, head: str) -> int:
    return _first(named.get("classifier.0.weight")) or 0


def _column(named: Shapes, head: str) -> str:
    """VGG's column by its convolutions: their number, and whether some are 1x1."""
    kernels = [shape[2] for name, shape in named.items() if name.startswith("features.") and len(shape) == 4]
    return {8: "A", 10: "B", 13: "C" if 1 in kernels else "D", 16: "E"}.get(len(kernels), "D")


def _groups(named: Shapes, head: str) -> int | None:
    shape = named.get("layer1.0.conv2.weight")
    return shape[0] // shape[1] if shape else None


def _group_width(named: Shapes, head: str) -> int | None:
    shape = named.get("layer1.0.conv2.weight")
    return shape[1] if shape else None


def _stem(named: Shapes, head: str) -> str | None:
    shape = next((named[name] for name in ("conv1.weight", "features.conv0.weight") if name in named), None)
    return f"{shape[-1]}x{shape[-1]}" if shape else None


def _growth(named: Shapes, head: str) -> int | None:
    layer = "features.denseblock1.denselayer1."
    return _first(named.get(f"{layer}conv2.weight", named.get(f"{layer}conv1.weight")))


def _transition_maps(named: Shapes, head: str) -> float | None:
    shape = named.get("features.transition1.conv.weight")
    return None if shape is None else 0.5 if shape[0] == shape[1] // 2 else shape[0] / shape[1]


def _bottleneck(named: Shapes, head: str) -> bool:
    return any(re.search(r"(?:^layer1\.0|blocks\.0)\.conv3\.|denselayer1\.conv2\.", name) for name in named)


def _normalised(named: Shapes, head: str) -> bool:
    return any(name.endswith("running_mean") for name in named)


RULES: dict[str, Callable[[Shapes, str], object]] = {
    "num_classes": _num_classes,
    "in_channels": _in_channels,
    "shortcut": _shortcut,
    "layers": _layers,
    "width": _width,
    "widen": _widen,
    "hidden": _hidden,
    "column": _column,
    "groups": _groups,
    "group_width": _group_width,
    "stem": _stem,
    "growth": _growth,
    "transition_maps": _transition_maps,
    "bottleneck": _bottleneck,
    "batch_norm": _normalised,
    "norm": _normalised,
    "last_norm": lambda named, head: "norm.weight" in named,
    "aux_heads": lambda named, head: any(name.startswith(AUXILIARY) for name in named),
}
"""By option: how it is read from a file's shapes under our names; None where it does not show."""


def _first(shape: tuple[int, ...] | None) -> int | None:
    return shape[0] if shape else None


# -- the networks' own entries ---------------------------------------------------------------------------------


def _of_like_size(found: Shapes) -> Iterator[str]:
    numbers, counts = sum(math.prod(shape) for shape in found.values()), count_renamed(found)
    for row in read_table():
        if row.name in GENERAL or (row.tensors in counts and numbers / 3 <= row.parameters <= 3 * numbers):
            yield row.name


@dataclass(frozen=True)
class _Signature:
    shapes: dict[str, tuple[int, ...]]
    head: str
    idle_biases: bool


@functools.cache
def _signature(name: str) -> _Signature:
    return _signature_of(Candidate(name))


def _signature_of(candidate: Candidate) -> _Signature:
    with torch.device("meta"):  # shapes only: nothing is allocated or drawn
        network = candidate.create()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return _Signature(shapes, head_name(network), network.idle_biases)


def _spelt(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
