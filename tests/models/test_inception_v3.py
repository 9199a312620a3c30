from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from cnnlab.errors import UsageError
from cnnlab.models.describe import Cost, cost
from cnnlab.models.inception_v3 import inception_v3
from tests.models.oracle import TOLERANCE, assert_agrees, made_real, relative_difference
from tests.models.shapes import feature_shapes, macs_with_aux, on_meta


def test_counts():
    assert cost(on_meta(inception_v3), 3, 299) == Cost(27_161_264, 5_713_216_096)
    assert cost(on_meta(inception_v3, aux_heads=False), 3, 299) == Cost(27_161_264 - 3_326_696, 5_713_216_096)


def test_the_head_costs_what_its_layers_do():
    extra = macs_with_aux(on_meta(inception_v3), 3, 299, 299) - 5_713_216_096
    assert extra == 768 * 128 * 25 + 128 * 768 * 25 + 768 * 1000


def test_shapes():
    assert feature_shapes(on_meta(inception_v3), 3, 299, 299) == {
        "Conv2d_1a": (32, 149, 149),
        "Conv2d_2a": (32, 147, 147),
        "Conv2d_2b": (64, 147, 147),
        "Conv2d_3b": (80, 73, 73),
        "Conv2d_4a": (192, 71, 71),
        "Mixed_5b": (256, 35, 35),
        "Mixed_5c": (288, 35, 35),
        "Mixed_5d": (288, 35, 35),
        "Mixed_6a": (768, 17, 17),
        "Mixed_6b": (768, 17, 17),
        "Mixed_6c": (768, 17, 17),
        "Mixed_6d": (768, 17, 17),
        "Mixed_6e": (768, 17, 17),
        "Mixed_7a": (1280, 8, 8),
        "Mixed_7b": (2048, 8, 8),
        "Mixed_7c": (2048, 8, 8),
        "pooled": (2048,),
    }


def test_norms_have_the_released_epsilon():
    assert {norm.eps for norm in on_meta(inception_v3).modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-3}


def their_inception_v3() -> nn.Module:
    return torchvision.models.inception_v3(num_classes=10, init_weights=False)


def test_agrees_with_torchvision_heads_too():
    theirs = made_real(their_inception_v3, torch.randn(2, 3, 299, 299))
    ours = on_meta(inception_v3, num_classes=10)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    images = torch.randn(1, 3, 299, 299)
    theirs.training = True  # only the network's own flag: dropout and batch norm stay in evaluation mode
    with torch.no_grad():
        wanted = theirs(images)
        logits, aux = ours.forward_with_aux(images)
    assert relative_difference(logits, wanted.logits) < TOLERANCE
    assert relative_difference(aux["aux"], wanted.aux_logits) < TOLERANCE


def test_agrees_with_timm():
    assert_agrees(
        lambda: inception_v3(num_classes=10, aux_heads=False),
        lambda: timm.create_model("inception_v3", num_classes=10),
        shape=(2, 3, 107, 123),
    )


def test_sizes():
    net = on_meta(inception_v3)
    with pytest.raises(UsageError, match="75 pixels"):
        net(torch.empty(1, 3, 74, 299, device="meta"))
    for pixels in (75, 298, 331):
        assert net.forward_with_aux(torch.empty(1, 3, pixels, pixels, device="meta"))[1]["aux"].shape == (1, 1000)


def test_starts_as_released():
    net = inception_v3(num_classes=10)
    weight = net.Mixed_6b.branch1x1.conv.weight
    assert weight.abs().max() <= 0.2
    assert weight.std().item() == pytest.approx(0.1 * 0.8796, rel=0.02)  # a normal cut at 2 deviations
    assert net.AuxLogits.conv1.conv.weight.abs().max() <= 0.02
    assert net.AuxLogits.fc.weight.abs().max() <= 0.002
