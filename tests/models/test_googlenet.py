from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost, count_parameters
from cnnlab.models.googlenet import googlenet, googlenet_2014
from tests.models.oracle import TOLERANCE, assert_agrees, made_real, relative_difference
from tests.models.shapes import feature_shapes, macs_with_aux, on_meta

SHAPES = {  # Table 1, with the reductions that it leaves out
    "conv1": (64, 112, 112),
    "conv2": (64, 56, 56),
    "conv3": (192, 56, 56),
    "inception3a": (256, 28, 28),
    "inception3b": (480, 28, 28),
    "inception4a": (512, 14, 14),
    "inception4b": (512, 14, 14),
    "inception4c": (512, 14, 14),
    "inception4d": (528, 14, 14),
    "inception4e": (832, 14, 14),
    "inception5a": (832, 7, 7),
    "inception5b": (1024, 7, 7),
    "pooled": (1024,),
}


@pytest.mark.parametrize(
    ("build", "aux_heads", "parameters", "macs"),
    [
        (googlenet_2014, False, 6_998_552, 1_582_671_872),
        (googlenet_2014, True, 13_378_280, 1_582_671_872),
        (googlenet, False, 6_624_904, 1_498_376_192),
        (googlenet, True, 13_004_888, 1_498_376_192),
    ],
)
def test_counts(build, aux_heads, parameters, macs):
    """forward never runs the heads, so they cost no MACs."""
    assert cost(on_meta(build, aux_heads=aux_heads), 3, 224) == Cost(parameters, macs)


def test_training_graph_of_2014():
    assert macs_with_aux(on_meta(googlenet_2014), 3, 224, 224) == 1_591_044_096


def test_weights_without_biases_are_those_of_bvlc():
    net = on_meta(googlenet_2014, aux_heads=False)
    assert sum(p.numel() for name, p in net.named_parameters() if name.endswith("weight")) == 6_990_272


@pytest.mark.parametrize("build", [googlenet_2014, googlenet])
def test_shapes_are_those_of_table_1(build):
    assert feature_shapes(on_meta(build), 3, 224, 224) == SHAPES


def test_the_kernel_of_the_third_branch():
    assert on_meta(googlenet_2014).inception3a.branch3[1].conv.kernel_size == (5, 5)
    assert on_meta(googlenet).inception3a.branch3[1].conv.kernel_size == (3, 3)


def test_2014_has_lrn_twice_and_no_batch_norm():
    net = on_meta(googlenet_2014)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    assert (net.lrn.size, net.lrn.alpha, net.lrn.beta, net.lrn.k) == (5, 1e-4 / 5, 0.75, 1.0)


def test_heads_of_2014_pool_14x14_maps_by_5x5_stride_3():
    head = googlenet_2014(num_classes=3).aux1
    maps = torch.rand(1, 512, 14, 14)
    assert torch.equal(head.pool(maps), nn.functional.avg_pool2d(maps, 5, stride=3))
    assert head.pool(maps[..., :9]).shape == (1, 512, 4, 4)


def test_2014_starts_as_bvlc():
    net = googlenet_2014(num_classes=3)
    bound = (3 / (192 * 1)) ** 0.5
    weight = net.inception3a.branch1.conv.weight
    assert 0.95 * bound < weight.abs().max() <= bound
    assert (net.conv1.conv.bias == 0.2).all()
    assert not any(head.bias.any() for head in (net.fc, net.aux1.fc2, net.aux2.fc2))
    assert (net.aux1.fc1.bias == 0.2).all()


def their_googlenet(**options: bool) -> nn.Module:
    return torchvision.models.googlenet(num_classes=10, init_weights=False, **options)


def test_agrees_with_torchvision():
    assert_agrees(lambda: googlenet(num_classes=10), their_googlenet)
    assert_agrees(
        lambda: googlenet(num_classes=10, aux_heads=False),
        lambda: their_googlenet(aux_logits=False),
        shape=(2, 3, 64, 80),
    )


def test_heads_agree_with_torchvision():
    theirs = made_real(their_googlenet, torch.randn(4, 3, 64, 64))
    ours = on_meta(googlenet, num_classes=10)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    images = torch.randn(2, 3, 64, 64)
    theirs.training = True  # only the network's own flag: dropout and batch norm stay in evaluation mode
    with torch.no_grad():
        wanted = theirs(images)
        logits, aux = ours.forward_with_aux(images)
    assert relative_difference(logits, wanted.logits) < TOLERANCE
    assert relative_difference(aux["aux1"], wanted.aux_logits1) < TOLERANCE
    assert relative_difference(aux["aux2"], wanted.aux_logits2) < TOLERANCE


def test_transform_input_agrees_with_torchvision():
    images = torch.randn(2, 3, 8, 8)
    theirs = torchvision.models.googlenet(num_classes=2, init_weights=False, aux_logits=False, transform_input=True)
    ours = googlenet(num_classes=2, aux_heads=False, transform_input=True)
    torch.testing.assert_close(ours.transform_input(images), theirs._transform_input(images))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    with pytest.raises(UsageError, match="RGB"):
        googlenet(in_channels=1, transform_input=True)


def test_without_heads_there_are_no_aux_logits():
    logits, aux = on_meta(googlenet, aux_heads=False).forward_with_aux(torch.empty(1, 3, 32, 32, device="meta"))
    assert logits.shape == (1, 1000)
    assert aux == {}


def test_the_two_differ_by_their_biases_norms_and_kernels():
    """6,998,552 - 6,624,904: 7,280 biases less, 2 x 7,280 norm numbers more, 5x5 kernels 16/9 larger."""
    kernels = sum(reduce * five for reduce, five in ((16, 32), (32, 96), (16, 48), (24, 64), (24, 64)))
    kernels += sum(reduce * five for reduce, five in ((32, 64), (32, 128), (32, 128), (48, 128)))
    ours, theirs = (count_parameters(on_meta(build, aux_heads=False)) for build in (googlenet_2014, googlenet))
    assert ours - theirs == 16 * kernels - 7_280


@pytest.mark.parametrize(("build", "smallest"), [(googlenet, 15), (googlenet_2014, 31)])
def test_smallest_size(build, smallest):
    net = build(num_classes=3, aux_heads=False).eval()
    assert net(torch.zeros(1, 3, smallest, smallest)).shape == (1, 3)
    with pytest.raises(UsageError, match=f"{smallest} pixels"):
        net(torch.zeros(1, 3, smallest, smallest - 1))
