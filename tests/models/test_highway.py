from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost, count_parameters
from cnnlab.models.highway import (
    Dense,
    Gate,
    HighwayLayer,
    LinearGate,
    highway19,
    highway32,
    highway_dense,
    plain_dense,
)
from cnnlab.models.initialise import initialise
from tests.models.shapes import feature_shapes, on_meta


def test_19_layers_cost_what_the_authors_file_does():
    """A highway layer is two convolutions: 2 x 4 of 32, 2 x 5 of 80, 2 x 5 of 128."""
    stage1 = (32 * 27 + 8 * 32 * 32 * 9) * 1024
    stage2 = (80 * 32 * 9 + 10 * 80 * 80 * 9) * 256
    stage3 = (128 * 80 * 9 + 10 * 128 * 128 * 9) * 64
    last = 100 * 128 * 64 + 100 * 10
    found = cost(on_meta(highway19), 3, 32)
    assert found == Cost(2_256_838, stage1 + stage2 + stage3 + last)
    assert round(found.macs / 1e6, 1) == 330.8
    assert count_parameters(on_meta(highway19, num_classes=100)) == 2_265_928


def test_32_layers_cost_what_the_suggested_layout_does():
    assert cost(on_meta(highway32), 3, 32) == Cost(1_239_932, 256_845_800)


@pytest.mark.parametrize(("build", "depth"), [(highway19, 19), (highway32, 32)])
def test_depth_counts_a_gated_pair_as_one_layer(build, depth):
    net = on_meta(build)
    weighted = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear) and not isinstance(m, Gate)]
    assert len(weighted) == depth


def test_receptive_fields_of_the_32_layer_net_alternate():
    stage = on_meta(highway32).stage2
    assert [layer.gate.kernel_size[0] for layer in stage if isinstance(layer, HighwayLayer)] == [3, 1] * 4 + [3]


def test_shapes():
    assert feature_shapes(on_meta(highway19), 3, 32, 32) == {
        "stage1": (32, 32, 32),
        "stage2": (80, 16, 16),
        "stage3": (128, 8, 8),
        "conv": (100, 8, 8),
        "pooled": (100,),
    }


def test_a_layer_is_equation_3():
    layer, maps = HighwayLayer(4, 3, gate_bias=-1.0), torch.randn(2, 4, 6, 6)
    gate = torch.sigmoid(layer.gate(maps))
    wanted = torch.relu(layer.transform(maps)) * gate + maps * (1 - gate)
    torch.testing.assert_close(layer(maps), wanted)


def test_a_shut_gate_carries_its_input():
    layer, maps = HighwayLayer(4, 3, gate_bias=-1.0), torch.randn(1, 4, 5, 5)
    nn.init.zeros_(layer.gate.weight)
    nn.init.constant_(layer.gate.bias, -100.0)
    assert torch.equal(layer(maps), maps)


@pytest.mark.parametrize("how", ["own", "he_fan_in", "xavier"])
def test_gates_start_at_their_bias_however_initialised(how):
    net = highway19(gate_bias=-3.0)
    initialise(net, how)
    gates = [layer for layer in net.modules() if isinstance(layer, Gate)]
    assert len(gates) == 14
    assert all((gate.bias == -3.0).all() for gate in gates)
    assert not net.conv.bias.any()


def test_start():
    net = highway19()
    assert (net.stage1[2].gate.bias == -2).all()
    assert net.stage1[0].weight.std().item() == pytest.approx(0.05, rel=0.15)
    assert net.stage3[3].gate.weight.std().item() == pytest.approx((1 / (128 * 9)) ** 0.5, rel=0.02)


def test_too_small():
    with pytest.raises(UsageError, match="4 pixels"):
        highway19()(torch.zeros(1, 3, 3, 3))


def test_a_dense_highway_layer_is_equation_3() -> None:
    layer = Dense(5, gate_bias=-3.0)
    values = torch.randn(4, 5)
    gate = torch.sigmoid(layer.gate(values))
    expected = torch.relu(layer.transform(values)) * gate + values * (1 - gate)
    assert torch.allclose(layer(values), expected, atol=1e-6)


@pytest.mark.parametrize("layers", [10, 50])
def test_dense_stacks_have_so_many_layers_and_gates_that_begin_shut(layers: int) -> None:
    for network, width in ((highway_dense(layers=layers), 50), (plain_dense(layers=layers), 71)):
        assert len(network.hidden) == layers - 2
        assert network.features(torch.randn(2, 1, 28, 28))["hidden"].shape == (2, width)
    gates = [each for each in highway_dense(layers=layers, gate_bias=-4.0).modules() if isinstance(each, LinearGate)]
    assert len(gates) == layers - 2
    assert all(bool((each.bias == -4.0).all()) for each in gates)
