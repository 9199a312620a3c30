from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.errors import UsageError
from cnnlab.explain.graph import Graph, Kind, trace
from cnnlab.models import MODELS, Network, create_model


class Small(Network):
    """Something of everything: in place, twice the same module, numbers, a split, a shortcut, branches."""

    num_classes, in_channels = 5, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.twice = nn.Conv2d(4, 4, 1, groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.nothing = nn.Identity()
        self.fc = nn.Linear(8, 5)

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """One map and a vector."""
        maps = F.relu(self.conv(images), inplace=True)
        branch = self.twice(self.twice(self.nothing(maps)))
        branch += maps  # the shortcut
        left, right = branch.split(2, dim=1)
        joined = torch.cat(
            (self.norm(branch) * 0.5, F.max_pool2d(F.pad(left, (1, 1, 1, 1)), 3, stride=1), right), dim=1
        )
        return {"joined": joined, "pooled": joined.mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 5)."""
        self.check_images(images)
        logits: Tensor = self.fc(self.features(images)["pooled"])
        return logits


def small() -> Graph:
    with torch.device("meta"):
        return trace(Small(), (8, 8))


def of(name: str) -> Graph:
    with torch.device("meta"):
        return trace(create_model(name), MODELS[name].sizes)


def test_what_feeds_what() -> None:
    assert [(node.kind.name, node.label, node.inputs) for node in small().nodes] == [
        ("IMAGE", "image", ()),
        ("CONV", "3×3 /2", (0,)),
        ("ACTIVATION", "ReLU", (1,)),
        ("POINTWISE", "1×1", (2,)),
        ("POINTWISE", "1×1", (3,)),
        ("ADD", "", (4, 2)),
        ("NORM", "BN", (5,)),
        ("POOL", "max 3×3", (5,)),  # a split and a padding are no nodes
        ("CONCAT", "", (6, 7, 5)),  # nor is a multiplication by a number
        ("POOL", "avg", (8,)),
        ("LINEAR", "fc", (9,)),
    ]


def test_what_it_costs_and_gives() -> None:
    nodes = small().nodes
    assert nodes[1].output == (4, 4, 4)
    assert (nodes[1].parameters, nodes[1].macs, nodes[1].layers) == (112, 4 * 4 * 4 * 27, 1)
    assert nodes[3].groups == 2
    assert (nodes[6].parameters, nodes[6].macs, nodes[6].layers) == (8, 0, 0)


def test_a_module_called_twice_has_its_weights_once() -> None:
    first, second = small().nodes[3:5]
    assert (first.name, first.parameters, first.layers) == ("twice", 12, 1)
    assert (second.name, second.parameters, second.layers) == ("twice", 0, 0)
    assert second.macs == first.macs


def test_named_maps_and_logits_are_found() -> None:
    graph = small()
    assert graph.features == {"joined": 8}  # a vector is no map
    assert graph.logits == 10
    assert graph.aux == {}


def test_auxiliary_heads_are_traced_too() -> None:
    graph = of("googlenet_2014")
    assert [graph.nodes[index].name for index in graph.aux.values()] == ["aux1.fc2", "aux2.fc2"]
    assert graph.nodes[graph.logits].name == "fc"
    assert sum(node.parameters for node in graph.nodes) == 13_378_280


def test_a_dense_block_is_a_row_of_joins_of_two() -> None:
    nodes = of("densenet40_12").nodes
    joins = [node for node in nodes if node.kind is Kind.CONCAT]
    assert len(joins) == 36  # a layer each
    assert all(len(node.inputs) == 2 for node in joins)
    assert joins[1].output == (16 + 2 * 12, 32, 32)
    assert nodes[joins[1].inputs[0]] == joins[0]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("highway19", {Kind.MIX: 14}),
        ("seresnet50", {Kind.MULTIPLY: 16, Kind.ADD: 16}),
        ("lenet5", {Kind.OTHER: 3, Kind.CONCAT: 1}),
        ("resnet20", {Kind.ADD: 9, Kind.OTHER: 2}),
        ("alexnet_2012", {Kind.NORM: 2, Kind.DROPOUT: 2, Kind.CONV: 5, Kind.LINEAR: 3}),
    ],
)
def test_kinds_of_the_papers(name: str, kinds: dict[Kind, int]) -> None:
    nodes = of(name).nodes
    assert {kind: sum(node.kind is kind for node in nodes) for kind in kinds} == kinds


def test_labels_of_other_dimensions() -> None:
    assert of("resnet18_3d").nodes[1].label == "3×7×7 /1×2×2"
    assert of("resnet18_1d").nodes[1].label == "7 /2"
    assert {node.label for node in of("lenet5").nodes if node.kind is Kind.OTHER} == {"Subsampling", "RBF"}


def test_too_small_an_image_is_refused() -> None:
    with torch.device("meta"), pytest.raises(UsageError, match="too small"):
        trace(create_model("inception_v3"), (32, 32))
