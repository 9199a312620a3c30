"""What others call the entries of our networks: one written-out table a family of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from cnnlab.errors import DataError

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Where GoogLeNet and Inception v3 keep the heads that only training needs."""


@dataclass(frozen=True)
class Family:
    """Files that name their entries alike; `rules` are regular expressions and what replaces them, in order.

    `{head}` in a replacement stands for the last layer of our network's classifier.
    """

    name: str
    rules: tuple[tuple[str, str], ...]


FAMILIES = (
    Family("names as they stand (torchvision, timm, cnnlab)", ()),
    Family(
        "CIFAR ResNets (akamaster, kuangliu)",
        (
            (r"^linear\.", "fc."),
            (r"\.shortcut\.", ".downsample."),
        ),
    ),
    Family(
        "DenseNet with dots in its layers (torchvision's files)",
        ((r"(\.denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2."),),
    ),
    Family("Cadene's pretrained-models (last_linear)", ((r"^last_linear\.", "{head}."),)),
    Family(
        "VGG of timm",
        (
            (r"^pre_logits\.fc1\.", "classifier.0."),
            (r"^pre_logits\.fc2\.", "classifier.3."),
            (r"^head\.fc\.", "{head}."),
        ),
    ),
)


@dataclass(frozen=True)
class Renaming:
    """How a file's entries are called in our network: our names, each with the file's."""

    family: str
    theirs: dict[str, str]


def rename(found: Iterable[str], wanted: Iterable[str], head: str) -> Renaming:
    """Choose the family that gives most of `found` a name among `wanted`; of equals, the first in `FAMILIES`.

    Args:
        found: the names in the file.
        wanted: the names in our network's state_dict.
        head: our name of the classifier's last layer, such as `fc` or `classifier.6`.

    Raises:
        DataError: two entries of the file would get the same name.
    """
    names, ours = list(found), set(wanted)
    tried = [Renaming(family.name, {_renamed(name, family, head): name for name in names}) for family in FAMILIES]
    best = max(tried, key=lambda renaming: len(ours & renaming.theirs.keys()))
    if len(best.theirs) < len(names):
        twice = sorted(set(names) - set(best.theirs.values()))
        raise DataError(f"has two entries for one of ours, such as {twice[0]!r} (family: {best.family})")
    return best


def _renamed(name: str, family: Family, head: str) -> str:
    for pattern, replacement in family.rules:
        name = re.sub(pattern, replacement.replace("{head}", head), name)
    return name


def head_name(network: nn.Module) -> str:
    """Our name of the layer that gives the logits: the last with parameters inside `classifier`.

    `fc` in ResNets, `classifier.6` in VGG, `head.fc` in ResNet v2; empty for a module without a classifier.
    """
    classifier = getattr(network, "classifier", None)
    names = [name for name, module in network.named_modules() if module is classifier]
    if not isinstance(classifier, nn.Module) or not names:
        return ""
    inside = [
        name for name, module in classifier.named_modules() if next(module.parameters(recurse=False), None) is not None
    ]
    return ".".join(filter(None, (names[0], inside[-1] if inside else "")))


def classifying(name: str, head: str) -> bool:
    """Whether an entry of ours counts classes: one of the last layer of the classifier or of an auxiliary head."""
    return bool(head and name.startswith(f"{head}.")) or re.match(r"(aux[12]\.fc2|AuxLogits\.fc)\.", name) is not None
