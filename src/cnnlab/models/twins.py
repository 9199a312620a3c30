"""Networks that a file of weights cannot tell apart: the same entries, another function.

A state_dict holds numbers, not what is done with them. Each group of `GROUPS` lists networks of ours whose entries
are the same, name for name and shape for shape, and in words those that we lack. What a file shows (another depth,
another shortcut with parameters) is no matter for this table; see `recognise`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnlab.models.catalog import MODELS
from cnnlab.models.recognise import Candidate

ACTIVATION = "another activation in place of ReLU (ReLU6, leaky ReLU, SiLU)"
BLUR = "blur pooling where maps shrink (timm's resnetblur50; resnetaa50 averages there)"
DILATED = "dilation in place of stride (output stride 8 or 16, for segmentation)"
V1 = "stride on the first 1x1, as the paper"
V15 = "stride on the 3x3 (v1.5: torchvision, timm, fb.resnet.torch)"


@dataclass(frozen=True)
class Member:
    """One network of a group: a name of the catalogue, the options that leave no trace in a file, and what it is."""

    model: str
    what: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Networks with the same entries; `lacking` are those that the catalogue does not have, in words."""

    members: tuple[Member, ...]
    lacking: tuple[str, ...] = ()
    only: Mapping[str, object] = field(default_factory=dict)  # options that a candidate must have to belong here


def _bottlenecks(layers: int) -> Group:
    v1 = f"resnet{layers}_v1"
    members = (
        Member(f"resnet{layers}", V15),
        Member(v1, V1),
        Member(v1, f"{V1}, and Caffe's max pool, unpadded and rounded up", {"pool": "ceil"}),
    )
    return Group(members, (BLUR, DILATED, ACTIVATION))


def _basic(layers: int) -> tuple[Group, ...]:
    residual, plain = f"resnet{layers}", f"plain{layers}"
    zeros = Member(residual, "shortcuts without parameters (option A)", {"shortcut": "A"})
    lacking = ("option A with its zeros elsewhere, or with average pooling", ACTIVATION)
    return (
        Group((zeros, Member(plain, "no shortcuts")), lacking, {"shortcut": "A"}),
        Group((Member(residual, "projections (option B)"),), (BLUR, "Caffe's max pool, unpadded", ACTIVATION)),
    )


def _small_stem(layers: int) -> Group:
    name = f"resnet{layers}_cifar"
    members = (
        Member(name, "no max pool behind the 3x3 stem (kuangliu, weiaicunzai)"),
        Member(name, "ImageNet's max pool kept behind the 3x3 stem (huyvnphan)", {"pool": "padded"}),
    )
    stride = (f"{V1} of a block",) if layers >= 50 else ()
    return Group(members, (*stride, ACTIVATION))


def _cifar(layers: int) -> Group:
    members = (
        Member(f"resnet{layers}", "shortcuts without parameters (option A)"),
        Member(f"plain{layers}", "no shortcuts"),
    )
    lacking = ("option A with all zeros after the channels, or with average pooling", ACTIVATION)
    return Group(members, lacking, {"shortcut": "A"})


def _pre_activation(name: str) -> Group:
    stride = "1x1, with the stride" if name == "resnetv2_cifar" else "1x1 with the stride, as the authors' code"
    general = "resnetv2_cifar"
    layers = {} if name == general else {"layers": int(name.rpartition("_")[2])}
    members = (
        Member(name, f"{stride}; projections read the activated maps"),
        Member(general, "3x3 with the stride; projections read the activated maps", {"stride_on": "3x3", **layers}),
        Member(
            general,
            "3x3 with the stride; projections read the sum (bearpaw)",
            {"stride_on": "3x3", "projects": "sum", **layers},
        ),
        Member(general, "1x1 with the stride; projections read the sum", {"projects": "sum", **layers}),
    )
    return Group(members, (ACTIVATION,), {"bottleneck": True})


GROUPS: tuple[Group, ...] = (
    *(_bottlenecks(layers) for layers in (50, 101, 152)),
    *(group for layers in (18, 34) for group in _basic(layers)),
    *(_small_stem(layers) for layers in (18, 34, 50, 101, 152)),
    *(_cifar(layers) for layers in (20, 32, 44, 56, 110)),
    Group(
        (
            Member("resnet_cifar", "shortcuts without parameters (option A)"),
            Member("resnet_cifar", "no shortcuts", {"shortcut": None}),
        ),
        ("option A with all zeros after the channels, or with average pooling", ACTIVATION),
        {"shortcut": "A"},
    ),
    *(_pre_activation(name) for name in ("resnetv2_164", "resnetv2_1001", "resnetv2_cifar")),
    Group(
        (
            Member("resnetv2_cifar", "projections read the activated maps"),
            Member("resnetv2_cifar", "projections read the sum (bearpaw)", {"projects": "sum"}),
        ),
        (ACTIVATION,),
        {"bottleneck": False},
    ),
    Group(
        (
            Member("resnetv2_110", "option A, which reads the activated maps"),
            Member(
                "resnetv2_cifar",
                "option A, which reads the sum",
                {"layers": 110, "bottleneck": False, "shortcut": "A", "projects": "sum"},
            ),
        ),
        (ACTIVATION,),
        {"shortcut": "A"},
    ),
    Group(
        (
            Member("resnetv2_110", "projections read the activated maps"),
            Member(
                "resnetv2_cifar",
                "projections read the sum (bearpaw)",
                {"layers": 110, "bottleneck": False, "projects": "sum"},
            ),
        ),
        (ACTIVATION,),
        {"shortcut": "B"},
    ),
    *(
        Group((Member(f"resnetv2_{layers}", V15),), ("stride on the first 1x1 (the paper's code)", ACTIVATION))
        for layers in (50, 101, 152, 200)
    ),
    *(
        Group(
            (Member(f"resnetv2_{layers}_cifar", "projections read the activated maps (kuangliu)"),),
            ("projections that read the sum", ACTIVATION),
        )
        for layers in (18, 34, 50, 101, 152)
    ),
    Group(
        (
            Member("alexnet_2012", "normalises, then pools; the paper's constants"),
            Member("caffenet", "pools, then normalises; Caffe's constants"),
        ),
        ("bvlc_alexnet: normalises, then pools, with Caffe's constants",),
    ),
    Group((Member("alexnet", "torchvision's"),), ("another padding or pooling", ACTIVATION)),
    Group(
        (
            Member("lenet5_modern", "ReLU and max pooling, 32x32 images (PyTorch's tutorial, kuangliu)"),
            Member(
                "lenet5_modern",
                "sigmoid and average pooling, 28x28 images (Dive into Deep Learning)",
                {"activation": "sigmoid", "pool": "average", "padding": 2},
            ),
            Member("lenet5_modern", "tanh and average pooling", {"activation": "tanh", "pool": "average"}),
            Member("lenet5_modern", "ReLU and max pooling, 28x28 images", {"padding": 2}),
        ),
    ),
    Group(
        (
            Member("plain_cifar", "ReLU"),
            Member("plain_cifar", "tanh", {"activation": "tanh"}),
            Member("plain_cifar", "sigmoid", {"activation": "sigmoid"}),
        ),
    ),
    Group(
        (
            Member("densenet_cifar", "as the paper's code (bamos, andreasveit, bearpaw)"),
            Member("densenet_cifar", "new maps before the old ones (kuangliu)", {"new_first": True}),
            Member("densenet_cifar", "transitions without ReLU (weiaicunzai)", {"transition_relu": False}),
        ),
        (ACTIVATION,),
    ),
    Group(
        (
            Member("densenet_bc100_12", "as the paper's code (bamos, andreasveit, bearpaw)"),
            Member("densenet_cifar", "new maps before the old ones (kuangliu's code)", {"new_first": True}),
            Member("densenet_cifar", "transitions without ReLU (weiaicunzai's code)", {"transition_relu": False}),
        ),
        (ACTIVATION,),
    ),
    Group((Member("densenet40_12", "as the paper's code"),), ("new maps before the old ones", ACTIVATION)),
    *(
        Group(
            (Member(f"densenet{layers}", "the max pool behind the stem kept"),),
            ("no max pool behind the stem", ACTIVATION),
        )
        for layers in (121, 161, 169, 201)
    ),
    *(
        Group((Member(name, V15),), (f"{V1} (v1)", BLUR, DILATED, ACTIVATION))
        for name in (
            *("wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d", "resnext101_32x4d", "resnext101_32x8d"),
            *("resnext101_64x4d", "seresnet50", "seresnet101", "seresnet152"),
        )
    ),
    Group(
        (Member("nin_cifar", "max pooling after the second stage, as the authors' file"),),
        ("average pooling after the second stage (ports to Caffe and Gluon)",),
    ),
    Group((Member("inception_v3", "torchvision's padding"),), ("TensorFlow's padding of average pools",)),
    *(
        Group((Member(name, "projections read the activated maps"),), ("projections that read the sum", ACTIVATION))
        for name in ("wrn16_8", "wrn22_8", "wrn40_4", "wrn28_10", "wrn_cifar")
    ),
)
"""Written out: who has the same entries. A network that stands nowhere here has no twin that we know."""


def with_twins(candidates: Sequence[Candidate]) -> list[Candidate]:
    """`candidates` and those of their twins that the catalogue has, each with what tells it from the others."""
    found: list[Candidate] = []
    for candidate in candidates:
        group = group_of(candidate)
        for each in _members(candidate, group) if group else [candidate]:
            if not any(each.model == other.model and each.options == other.options for other in found):
                found.append(each)
    return found


def lacking(candidates: Sequence[Candidate]) -> list[str]:
    """In words, the twins of `candidates` that the catalogue does not have."""
    groups = [group for candidate in candidates if (group := group_of(candidate))]
    return list(dict.fromkeys(each for group in groups for each in group.lacking))


def group_of(candidate: Candidate) -> Group | None:
    """The group of a candidate, or None where no twin of it is known."""
    groups = [
        group
        for group in GROUPS
        if any(member.model == candidate.model for member in group.members) and _belongs(candidate, group.only)
    ]
    own = [group for group in groups if group.members[0].model == candidate.model]
    return next(iter([*own, *groups]), None)


def _belongs(candidate: Candidate, only: Mapping[str, object]) -> bool:
    known = inspect.signature(MODELS[candidate.model].build).parameters
    return all(
        name not in known or candidate.options.get(name, known[name].default) == value for name, value in only.items()
    )


def _members(candidate: Candidate, group: Group) -> list[Candidate]:
    """The group's networks, each with the options of the candidate that it knows, and none that is a default."""
    members = []
    telling = {name for member in group.members for name in member.options} - set(group.only)
    shown = {name: value for name, value in candidate.options.items() if name not in telling}
    for member in group.members:
        known = inspect.signature(MODELS[member.model].build).parameters
        options = {**{name: value for name, value in shown.items() if name in known}, **member.options}
        told = {name: value for name, value in options.items() if value != known[name].default}
        members.append(Candidate(member.model, told, member.what))
    return members
