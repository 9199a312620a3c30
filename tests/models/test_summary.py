from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.models.catalog import MODELS, create_model
from cnnlab.models.describe import cost
from cnnlab.models.summary import Layer, Summary, summarise, summarise_model
from cnnlab.models.table import read_table

TABLE = {row.name: row for row in read_table()}
AUXILIARY = {"googlenet": 6_379_984, "googlenet_2014": 6_379_728, "inception_v3": 3_326_696}


def names(summary: Summary) -> list[str]:
    return [layer.name for layer in summary.layers]


def row(summary: Summary, name: str) -> Layer:
    return next(layer for layer in summary.layers if layer.name == name)


@pytest.mark.parametrize("name", MODELS)
def test_rows_sum_to_the_cost_of_every_network(name: str) -> None:
    entry = MODELS[name]
    with torch.device("meta"):
        network = create_model(name)
    found = summarise(network, entry.in_channels, entry.sizes)
    costs = cost(network, entry.in_channels, entry.sizes)
    assert sum(layer.parameters for layer in found.layers) == found.parameters == costs.parameters
    assert sum(layer.macs for layer in found.layers) == found.macs == costs.macs
    assert found.unused_parameters == AUXILIARY.get(name, 0)
    assert found.layers[-1].output == (network.num_classes,) or name in AUXILIARY
    assert all(layer.receptive_field for layer in found.layers if layer.output), "every layer of ours can be followed"
    told = TABLE[name]
    assert (told.parameters, told.macs, told.depth) == (found.parameters, found.macs, found.depth), (
        "table.json is old: uv run python bench/model_table.py"
    )


@pytest.mark.parametrize(
    ("name", "depth"),
    # As each paper names its network; the longest way through v3 has 48 layers, where its paper says 42.
    {
        "alexnet_2012": 8,
        "vgg16_c": 16,
        "googlenet_2014": 22,
        "inception_v3": 48,
        "highway32": 32,
        "resnet152_v1": 152,
        "resnet1202": 1202,
        "resnetv2_1001": 1001,
        "seresnet50": 50,
        "senet154": 154,
        "densenet121": 121,
        "densenet_bc100_12": 100,
        "resnext29_8x64d": 29,
    }.items(),
)
def test_depth_is_what_the_papers_count(name: str, depth: int) -> None:
    assert TABLE[name].depth == depth


@pytest.mark.parametrize("name", ["lenet5", "vgg11_lrn", "googlenet", "resnet50", "densenet40_12", "resnet18_3d"])
@pytest.mark.parametrize("depth", [1, 2, 99])
def test_rows_sum_to_the_same_at_any_depth(name: str, depth: int) -> None:
    folded, opened = summarise_model(name), summarise_model(name, depth=depth)
    assert (opened.parameters, opened.macs) == (folded.parameters, folded.macs)


def test_the_published_receptive_fields() -> None:
    # Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks", the table of models.
    vgg = summarise_model("vgg16")
    alexnet = summarise_model("alexnet_2012")
    assert (row(vgg, "features.30").receptive_field, row(vgg, "features.30").stride) == ((212, 212), (32, 32))
    pool5 = [layer for layer in alexnet.layers if layer.kind.startswith("max pool")][-1]
    assert (pool5.receptive_field, pool5.stride) == ((195, 195), (32, 32))


def test_resnet34_is_a_table_to_read() -> None:
    found = summarise_model("resnet34")
    assert names(found) == [
        *("conv1", "bn1", "maxpool", "layer1.0-2", "layer2.0-3", "layer3.0-5", "layer4.0-2", "(pool)", "fc")
    ]
    assert row(found, "conv1") == Layer(
        "conv1", "Conv2d 7x7/2", (64, 112, 112), 9_408, 64 * 3 * 49 * 112**2, (7, 7), (2, 2)
    )
    layer4 = row(found, "layer4.0-2")
    # 7, then 4 more of the pooling, two 3x3 a block at strides 4, 8, 16 and 32, the first of a stage at the one before
    field = 7 + 4 + 6 * 8 + (8 + 7 * 16) + (16 + 11 * 32) + (32 + 5 * 64)
    assert (layer4.repeats, layer4.output, layer4.receptive_field, layer4.stride) == (
        *(3, (512, 7, 7)),
        *((field, field), (32, 32)),
    )
    assert (row(found, "fc").receptive_field, row(found, "fc").stride) == ((224, 224), None)


def test_depth_opens_blocks_and_keeps_every_row() -> None:
    found = names(summarise_model("resnet34", depth=3))
    assert found.count("layer2.0.downsample") == 1
    assert {"layer1.0.conv1", "layer4.2.bn2"} <= set(found)
    assert "layer2.0.downsample.0" in names(summarise_model("resnet34", depth=4))
    assert "dropout" in names(summarise_model("googlenet", depth=1))
    assert "dropout" not in names(summarise_model("googlenet"))


def test_poolings_called_as_functions_are_rows() -> None:
    found = summarise_model("lenet5_modern")
    assert names(found) == ["c1", "(pool)", "c3", "(pool)", "c5", "f6", "f7"]
    assert found.layers[1].kind == "max pool 2x2/2"
    assert found.layers[1].output == (6, 14, 14)


def test_a_block_with_one_convolution_shows_its_kernel() -> None:
    assert row(summarise_model("googlenet"), "conv1").kind == "ConvBN 7x7/2"


def test_auxiliary_heads_are_rows_without_output() -> None:
    found = summarise_model("googlenet_2014")
    assert names(found)[-2:] == ["aux1", "aux2"]
    assert all(layer.output is None and layer.macs == 0 for layer in found.layers[-2:])
    assert summarise_model("googlenet_2014", aux_heads=False).unused_parameters == 0


def test_a_layer_that_is_called_twice_has_its_parameters_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(self.conv(images))

    found = summarise(Twice(), 3, (8, 8))
    assert [layer.parameters for layer in found.layers] == [84, 0]
    assert [layer.macs for layer in found.layers] == [81 * 64, 81 * 64]
    assert [layer.receptive_field for layer in found.layers] == [(3, 3), (5, 5)]


def test_options_and_pixels_reach_the_network() -> None:
    found = summarise_model("resnet34", pixels=64, shortcut="A", num_classes=7, in_channels=1)
    assert found.image == (64, 64)
    assert found.in_channels == 1
    assert found.layers[-1].output == (7,)
    assert summarise_model("resnet18_3d", pixels=32).image == (16, 32, 32)
    assert summarise_model("resnet18_1d", pixels=256).image == (256,)


def test_the_network_stays_as_it_was() -> None:
    network = create_model("resnet20").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    summarise(network, 3, (32, 32))
    assert network.training
    assert not network.conv1._forward_hooks
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        summarise_model("resnet3")
    with pytest.raises(UsageError, match="no option"):
        summarise_model("resnet34", shortcuts="A")
    with pytest.raises(UsageError, match="too small"):
        summarise_model("vgg16", pixels=8)
