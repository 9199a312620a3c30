"""What others call the entries of our networks: one written-out table a family of files."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from cnnlab.errors import DataError

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Where GoogLeNet and Inception v3 keep the heads that only training needs."""


@dataclass(frozen=True)
class Family:
    """Files that name their entries alike; `rules` are regular expressions and what replaces them, in order.

    In a replacement, `{head}` stands for the last layer of our network's classifier, `{norm}` for the last norm
    of a DenseNet, and `<3+1>` or `<3-1>` for the number: others count from 0 where we count from 1, or not.
    """

    name: str
    rules: tuple[tuple[str, str], ...]
    sole: bool = False  # not meant where two entries would get the same name


DENSENET = (  # bamos, bearpaw, kuangliu, andreasveit
    (r"^conv1\.", "features.conv0."),
    (r"^(?:dense|block)(\d+)(?:\.layer)?\.(\d+)\.bn(\d)\.", r"features.denseblock\1.denselayer<\2+1>.norm\3."),
    (r"^(?:dense|block)(\d+)(?:\.layer)?\.(\d+)\.conv", r"features.denseblock\1.denselayer<\2+1>.conv"),
    (r"^trans(\d+)\.bn1?\.", r"features.transition\1.norm."),
    (r"^trans(\d+)\.conv1?\.", r"features.transition\1.conv."),
    (r"^bn1?\.", "{norm}."),
    (r"^(?:fc|linear)\.", "{head}."),
)

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
    Family(
        "Cadene's AlexNet",
        (
            (r"^_features\.", "features."),
            (r"^linear0\.", "classifier.1."),
            (r"^linear1\.", "classifier.4."),
            (r"^last_linear\.", "{head}."),
        ),
    ),
    Family(
        "Cadene's VGG",
        (
            (r"^_features\.", "features."),
            (r"^linear0\.", "classifier.0."),
            (r"^linear1\.", "classifier.3."),
            (r"^last_linear\.", "{head}."),
        ),
    ),
    Family(
        "Cadene's ResNeXt (converted from Lua)",
        (
            (r"^features\.0\.", "conv1."),
            (r"^features\.1\.", "bn1."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.0\.0\.", r"layer<\1-3>.\2.conv1."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.0\.1\.", r"layer<\1-3>.\2.bn1."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.0\.3\.", r"layer<\1-3>.\2.conv2."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.0\.4\.", r"layer<\1-3>.\2.bn2."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.1\.", r"layer<\1-3>.\2.conv3."),
            (r"^features\.([4-7])\.(\d+)\.0\.0\.2\.", r"layer<\1-3>.\2.bn3."),
            (r"^features\.([4-7])\.(\d+)\.0\.1\.([01])\.", r"layer<\1-3>.\2.downsample.\3."),
            (r"^last_linear\.", "{head}."),
        ),
    ),
    Family(
        "weiaicunzai's ResNet",
        (
            (r"^conv1\.0\.", "conv1."),
            (r"^conv1\.1\.", "bn1."),
            (r"^conv([2-5])_x\.", r"layer<\1-1>."),
            (r"\.residual_function\.0\.", ".conv1."),
            (r"\.residual_function\.1\.", ".bn1."),
            (r"\.residual_function\.3\.", ".conv2."),
            (r"\.residual_function\.4\.", ".bn2."),
            (r"\.residual_function\.6\.", ".conv3."),
            (r"\.residual_function\.7\.", ".bn3."),
            (r"\.shortcut\.", ".downsample."),
        ),
    ),
    Family(
        "Wide ResNet (xternalz, bearpaw)",
        (
            (r"^bn1\.", "bn."),
            (r"^block(\d)\.layer\.", r"layer\1."),
            (r"\.convShortcut\.", ".downsample."),
        ),
    ),
    Family("DenseNet for CIFAR (andreasveit, bamos, bearpaw, kuangliu)", DENSENET),
    Family(
        "weiaicunzai's DenseNet",
        (
            (r"^conv1\.", "features.conv0."),
            (
                r"^features\.dense_block(?:_layer_)?(\d+)\.bottle_neck_layer_(\d+)\.bottle_neck\.",
                r"layer<\1+1>.<\2+1>.",
            ),
            (r"^layer(\d+)\.(\d+)\.0\.", r"features.denseblock\1.denselayer\2.norm1."),
            (r"^layer(\d+)\.(\d+)\.2\.", r"features.denseblock\1.denselayer\2.conv1."),
            (r"^layer(\d+)\.(\d+)\.3\.", r"features.denseblock\1.denselayer\2.norm2."),
            (r"^layer(\d+)\.(\d+)\.5\.", r"features.denseblock\1.denselayer\2.conv2."),
            (r"^features\.transition_layer_(\d+)\.down_sample\.0\.", r"features.transition<\1+1>.norm."),
            (r"^features\.transition_layer_(\d+)\.down_sample\.1\.", r"features.transition<\1+1>.conv."),
            (r"^features\.bn\.", "{norm}."),
            (r"^linear\.", "{head}."),
        ),
    ),
    Family(
        "ResNeXt-29 (prlz77, bearpaw)",
        (
            (r"^conv_1_3x3\.", "conv1."),
            (r"^bn_1\.", "bn1."),
            (r"^stage_(\d)\.stage_\d_bottleneck_(\d+)\.", r"layer\1.\2."),
            (r"\.conv_reduce\.", ".conv1."),
            (r"\.bn_reduce\.", ".bn1."),
            (r"\.conv_conv\.", ".conv2."),
            (r"\.bn\.", ".bn2."),
            (r"\.conv_expand\.", ".conv3."),
            (r"\.bn_expand\.", ".bn3."),
            (r"\.shortcut\.shortcut_conv\.", ".downsample.0."),
            (r"\.shortcut\.shortcut_bn\.", ".downsample.1."),
            (r"^classifier\.", "{head}."),
        ),
    ),
    Family(
        "pre-activation ResNet for CIFAR (kuangliu, bearpaw)",
        (
            (r"^conv1\.", "stem.conv."),
            (r"^layer(\d+)\.(\d+)\.", r"stages.<\1-1>.blocks.\2."),
            (r"(blocks\.\d+)\.bn(\d)\.", r"\1.norm\2."),
            (r"\.(?:shortcut|downsample)\.0\.", ".downsample.conv."),
            (r"^bn\.", "norm."),
            (r"^(?:fc|linear)\.", "{head}."),
        ),
    ),
    Family(
        "LeNet of tutorials (PyTorch, kuangliu)",
        ((r"^conv1\.", "c1."), (r"^conv2\.", "c3."), (r"^fc1\.", "c5."), (r"^fc2\.", "f6."), (r"^fc3\.", "f7.")),
    ),
    Family(
        "LeNet of Dive into Deep Learning",
        (
            (r"^(?:net\.)?0\.", "c1."),
            (r"^(?:net\.)?3\.", "c3."),
            (r"^(?:net\.)?7\.", "c5."),
            (r"^(?:net\.)?9\.", "f6."),
            (r"^(?:net\.)?11\.", "f7."),
        ),
    ),
    Family(
        "LeNet of Dive into Deep Learning, behind a reshape",
        (
            (r"^(?:net\.)?1\.", "c1."),
            (r"^(?:net\.)?4\.", "c3."),
            (r"^(?:net\.)?8\.", "c5."),
            (r"^(?:net\.)?10\.", "f6."),
            (r"^(?:net\.)?12\.", "f7."),
        ),
    ),
    Family(
        "a last layer inside a Sequential, behind dropout",
        ((r"^(?:fc|classifier|head|linear|last_linear)\.\d+\.", "{head}."),),
        sole=True,
    ),
    Family(
        "the children of torchvision's ResNet in a Sequential",
        (
            (r"^0\.", "conv1."),
            (r"^1\.", "bn1."),
            (r"^([4-7])\.", r"layer<\1-3>."),
            (r"^(?:9|fc|linear)\.", "{head}."),
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
    norms = sorted(name.rpartition(".")[0] for name in ours if re.match(r"features\.norm[1-9]\.weight$", name))
    places = {"{head}": head, "{norm}": norms[-1] if norms else "norm"}
    tried = _tried(tuple(names), tuple(places.items()))
    best = max(tried, key=lambda renaming: len(ours & renaming.theirs.keys()))
    if len(best.theirs) < len(names):
        twice = sorted(set(names) - set(best.theirs.values()))
        raise DataError(f"has two entries for one of ours, such as {twice[0]!r} (family: {best.family})")
    return best


@functools.lru_cache(maxsize=32)  # the same file is held against many networks
def _tried(names: tuple[str, ...], places: tuple[tuple[str, str], ...]) -> tuple[Renaming, ...]:
    found = [(each, {_renamed(name, each, dict(places)): name for name in names}) for each in FAMILIES]
    return tuple(Renaming(each.name, theirs) for each, theirs in found if len(theirs) == len(names) or not each.sole)


def _renamed(name: str, family: Family, places: Mapping[str, str]) -> str:
    for pattern, replacement in family.rules:
        if re.search(pattern, name):
            for place, meant in places.items():
                replacement = replacement.replace(place, meant)
            name = re.sub(pattern, replacement, name)
            name = re.sub(r"<(\d+)([+-]\d+)>", lambda found: str(int(found[1]) + int(found[2])), name)
    return name


def norm_after(name: str, wanted: Iterable[str]) -> str | None:
    """The norm after the convolution whose bias is called `name`, if the network has it without that bias.

    Only of networks with `idle_biases`, where the norm has the number of the convolution that it follows.
    """
    known, layer = set(wanted), name.removesuffix(".bias")
    if not name.endswith(".bias") or name in known or f"{layer}.weight" not in known:
        return None
    places = (
        f"{layer}_bn",
        re.sub(r"conv(\d*)$", r"bn\1", layer),
        re.sub(r"downsample\.0$", "downsample.1", layer),
    )
    return next((each for each in places if each != layer and f"{each}.running_mean" in known), None)


def count_tensors(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The entries with two dimensions or more, without those of shortcuts and auxiliary heads."""
    return sum(
        len(shape) > 1 and not name.startswith(AUXILIARY) and "downsample" not in name for name, shape in shapes.items()
    )


def count_renamed(shapes: Mapping[str, tuple[int, ...]]) -> set[int]:
    """What `count_tensors` says of a file, under each family's names."""
    tried = _tried(tuple(shapes), (("{head}", "head"), ("{norm}", "norm")))
    return {count_tensors({mine: shapes[other] for mine, other in each.theirs.items()}) for each in tried}


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
