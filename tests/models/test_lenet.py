from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost, count_parameters
from cnnlab.models.lenet import TABLE_I, bitmaps, lenet5, lenet5_modern, lenet_caffe, random_codes, squash

PAPER_TRAINABLE = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164, "output": 0}
PAPER_CONNECTIONS = {"c1": 122304, "s2": 5880, "c3": 151600, "s4": 2000, "c5": 48120, "f6": 10164, "output": 840}


def test_trainable_parameters_of_each_layer_are_the_papers():
    net = lenet5()
    assert {name: count_parameters(layer) for name, layer in net.named_children()} == PAPER_TRAINABLE
    assert count_parameters(net) == 60_000


def test_connections_are_the_papers():
    """A connection is an input or a bias of a unit: MACs of convolutions, and what cost() does not count."""
    macs = cost(lenet5(), 1, 32).macs
    biases = 6 * 28 * 28 + 16 * 10 * 10 + 120 + 84  # of C1, C3, C5, F6
    subsampling = 6 * 14 * 14 * 5 + 16 * 5 * 5 * 5  # four inputs and a bias each
    rbf = 84 * 10
    assert macs == 6 * 28 * 28 * 25 + 60 * 25 * 100 + 120 * 400 + 84 * 120
    assert macs + biases + subsampling + rbf == sum(PAPER_CONNECTIONS.values()) == 340_908


def test_feature_shapes_are_the_papers():
    shapes = {name: tuple(maps.shape[1:]) for name, maps in lenet5().features(torch.zeros(1, 1, 32, 32)).items()}
    assert shapes == {
        "c1": (6, 28, 28),
        "s2": (6, 14, 14),
        "c3": (16, 10, 10),
        "s4": (16, 5, 5),
        "c5": (120, 1, 1),
        "f6": (84,),
    }


def test_each_c3_map_sees_the_s2_maps_of_table_i():
    """Paper: six maps see three neighbours, six four neighbours, three four others, one all six."""
    assert [len(seen) for seen in TABLE_I] == [3] * 6 + [4] * 9 + [6]
    assert sum(len(seen) for seen in TABLE_I) == 60
    assert [sum(s2 in seen for seen in TABLE_I) for s2 in range(6)] == [10] * 6
    c3 = lenet5().c3
    for c3_map, seen in enumerate(TABLE_I):
        maps = torch.randn(1, 6, 14, 14, requires_grad=True)
        c3(maps)[0, c3_map].sum().backward()
        reached = maps.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten()
        assert tuple(reached.tolist()) == seen


def test_c3_is_the_dense_convolution_with_the_unseen_kernels_zero():
    c3, maps = lenet5().c3, torch.randn(2, 6, 14, 14)
    kernels = [*c3.three.weight, *c3.four.weight, *c3.six.weight]
    dense = torch.zeros(16, 6, 5, 5)
    for row, (seen, kernel) in enumerate(zip(TABLE_I, kernels, strict=True)):
        dense[row, list(seen)] = kernel
    bias = torch.cat((c3.three.bias, c3.four.bias, c3.six.bias))
    torch.testing.assert_close(c3(maps), F.conv2d(maps, dense, bias), rtol=1e-5, atol=1e-6)


def test_subsampling_sums_four_neighbours():
    s2 = lenet5().s2
    nn.init.constant_(s2.weight, 0.5)
    nn.init.constant_(s2.bias, 0.25)
    assert s2(torch.ones(1, 6, 2, 2)).flatten().tolist() == pytest.approx([squash(torch.tensor(2.25)).item()] * 6)


def test_squash_maps_one_to_one():
    assert squash(torch.tensor([-1.0, 0.0, 1.0])).tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=1e-4)
    assert squash(torch.tensor(100.0)).item() == pytest.approx(1.7159)


def test_rbf_prefers_the_class_whose_bitmap_it_sees():
    output = lenet5().output
    logits = output(bitmaps())
    assert logits.argmax(dim=1).tolist() == list(range(10))
    assert logits.diagonal().tolist() == [0.0] * 10
    assert logits[0, 1].item() == -((bitmaps()[0] - bitmaps()[1]) ** 2).sum().item()


def test_bitmaps_are_seven_by_twelve_signs_that_differ():
    drawn = bitmaps()
    assert drawn.shape == (10, 84)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    distances = (drawn[:, None] != drawn).sum(dim=2) + 84 * torch.eye(10)
    assert distances.min() >= 4


def test_targets_are_fixed_but_saved():
    net = lenet5()
    assert "output.targets" in net.state_dict()
    assert not any(name.startswith("output") for name, _ in net.named_parameters())


def test_other_class_counts_get_random_codes_that_repeat():
    net = lenet5(num_classes=26)
    assert net(torch.zeros(1, 1, 32, 32)).shape == (1, 26)
    assert torch.equal(net.output.targets, random_codes(26))


def test_weights_start_within_2_4_over_fan_in():
    net = lenet5()
    for weight, inputs in ((net.c1.weight, 25), (net.c3.three.weight, 75), (net.f6.weight, 120)):
        assert 0.9 * 2.4 / inputs < weight.abs().max() <= 2.4 / inputs


def test_modern_and_caffe_counts():
    assert cost(lenet5_modern(), 1, 32) == Cost(61_706, 416_520)
    assert cost(lenet_caffe(), 1, 28) == Cost(431_080, 2_293_000)


def test_caffe_starts_within_its_xavier_bound():
    net = lenet_caffe()
    bound = (3 / 500) ** 0.5
    assert 0.9 * bound < net.conv2.weight.abs().max() <= bound


@pytest.mark.parametrize(("build", "pixels"), [(lenet5, 32), (lenet5_modern, 32), (lenet_caffe, 28)])
def test_one_size_only(build, pixels):
    for other in (pixels - 4, pixels + 4):
        with pytest.raises(UsageError, match=f"{pixels}"):
            build()(torch.zeros(1, 1, other, other))
    with pytest.raises(UsageError, match=r"takes \(N, 1, H, W\)"):
        build()(torch.zeros(1, 3, pixels, pixels))
