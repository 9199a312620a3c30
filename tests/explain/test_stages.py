from __future__ import annotations

import functools

import pytest
import torch

from cnnlab.explain.graph import Kind, trace
from cnnlab.explain.stages import Plan, Stage, depth, plan
from cnnlab.models import MODELS, create_model
from cnnlab.models.table import read_table


@functools.cache
def of(name: str) -> Plan:
    with torch.device("meta"):
        return plan(trace(create_model(name), MODELS[name].sizes))


def repeats(stage: Stage) -> list[int]:
    return [group.repeats for group in stage.groups]


def test_stages_are_those_of_the_features() -> None:
    found = of("resnet34")
    assert found.image == (3, 224, 224)
    assert [(stage.title, stage.output) for stage in found.stages] == [
        ("stem", (64, 56, 56)),
        ("layer1", (64, 56, 56)),
        ("layer2", (128, 28, 28)),
        ("layer3", (256, 14, 14)),
        ("layer4", (512, 7, 7)),
        ("classifier", (1000,)),
    ]


def test_equal_blocks_are_together_and_the_first_of_a_stage_is_its_own() -> None:
    stages = of("resnet34").stages[1:5]
    assert [repeats(stage) for stage in stages] == [[3], [1, 3], [1, 5], [1, 2]]
    first = stages[1].groups[0].rows[0][0]
    assert [item.core.label for item in first.items if item.core] == ["1×1 /2", "3×3 /2", "3×3", ""]
    assert first.inputs == ((-1,), (-1,), (1,), (2, 0))  # the addition reads the branch and the projection


def test_norm_and_activation_go_with_the_layer_before_or_after() -> None:
    post, pre = of("resnet50").stages[1].groups[1], of("resnetv2_50").stages[1].groups[2]
    labels = [
        [([node.label for node in item.before], [node.label for node in item.after]) for item in group.rows[0][0].items]
        for group in (post, pre)
    ]
    assert labels[0] == [([], ["BN", "ReLU"]), ([], ["BN", "ReLU"]), ([], ["BN"]), ([], ["ReLU"])]
    assert labels[1] == [(["BN", "ReLU"], [])] * 3 + [([], [])]


def test_inceptions_of_one_number_are_a_stage_and_their_widths_may_differ() -> None:
    stages = {stage.title: stage for stage in of("googlenet_2014").stages}
    assert list(stages) == ["conv1", "conv2", "conv3", "inception3a–b", "inception4a–e", "inception5a–b", "classifier"]
    assert [repeats(stages[title])[-1] for title in list(stages)[3:6]] == [2, 5, 2]
    units = [row[0] for row in stages["inception4a–e"].groups[-1].rows]
    assert [unit.items[0].output[0] for unit in units] == [192, 160, 128, 112, 256]  # Table 1, column 1x1


def test_blocks_that_take_turns_are_folded_in_pairs() -> None:
    folded = of("highway32").stages[0].groups[1]
    assert folded.repeats == 4
    assert [unit.items[0].core.label for unit in folded.rows[0] if unit.items[0].core] == ["3×3", "1×1"]


def test_single_layers_are_folded_from_five_on() -> None:
    assert [repeats(stage) for stage in of("vgg19").stages[:5]] == [[1] * 3] * 2 + [[1] * 5] * 3
    assert [repeats(stage) for stage in of("plain34").stages[1:5]] == [[6], [1, 7], [1, 11], [1, 5]]


def test_stages_without_weights_join_the_one_before() -> None:
    assert [stage.title for stage in of("alexnet").stages] == [
        *("conv1, pool1", "conv2, pool2", "conv3", "conv4", "conv5, pool5", "classifier")
    ]


def test_auxiliary_heads_know_where_they_start() -> None:
    found = of("googlenet_2014")
    assert [(head.stage.title, head.source) for head in found.aux] == [("aux1", "inception4a"), ("aux2", "inception4d")]
    assert {found.stages[head.source_stage].title for head in found.aux} == {"inception4a–e"}
    assert sum(head.stage.parameters for head in found.aux) == 13_378_280 - 6_998_552
    assert [
        item.core.kind
        for head in of("inception_v3").aux
        for g in head.stage.groups
        for item in g.rows[0][0].items
        if item.core
    ] == [Kind.POOL, Kind.POINTWISE, Kind.CONV, Kind.POOL, Kind.LINEAR]


@pytest.mark.parametrize(
    "name", ["vgg16", "googlenet_2014", "resnet101", "densenet121", "highway32", "seresnet50", "lenet5"]
)
def test_depth_is_that_of_the_catalogue(name: str) -> None:
    assert depth(of(name)) == next(row.depth for row in read_table() if row.name == name)


def test_costs_add_up() -> None:
    stages = of("resnet50").stages
    assert sum(stage.parameters for stage in stages) == 25_557_032
    assert sum(stage.macs for stage in stages) == 4_089_184_256
