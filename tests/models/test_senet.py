"""Squeeze-and-excitation networks, against Hu et al. 2017 and timm."""

from __future__ import annotations

import pytest
import timm
import torch

from cnnlab.errors import UsageError
from cnnlab.models import senet
from cnnlab.models.describe import cost, count_parameters
from cnnlab.models.resnet import resnet50, resnet101, resnet152
from tests.models.oracle import assert_agrees

COUNTS = {  # facts/networks.md section 0: parameters, GMACs rounded there (senet154: exact)
    "seresnet50": (28_088_024, 4.0917),
    "seresnet101": (49_326_872, None),
    "seresnet152": (66_821_848, None),
    "legacy_seresnet50": (28_088_024, 3.8605),
    "legacy_seresnet101": (49_326_872, 7.5749),
    "legacy_seresnet152": (66_821_848, 11.2890),
    "senet154": (115_088_984, 20.6884),
}


def on_meta(build, **options):
    with torch.device("meta"):
        return build(**options)


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    parameters, giga_macs = COUNTS[name]
    found = cost(on_meta(getattr(senet, name)), 3, 224)
    assert found.parameters == parameters
    if giga_macs:
        assert round(found.macs / 1e9, 4) == giga_macs


def test_senet154_macs_to_the_unit():
    assert cost(on_meta(senet.senet154), 3, 224).macs == 20_688_363_520


@pytest.mark.parametrize(
    ("squeezed", "ordinary", "extra"),  # section 14
    [
        (senet.seresnet50, resnet50, 2_530_992),
        (senet.seresnet101, resnet101, 4_777_712),
        (senet.seresnet152, resnet152, 6_629_040),
    ],
)
def test_se_blocks_add_what_the_paper_says(squeezed, ordinary, extra):
    assert count_parameters(on_meta(squeezed)) - count_parameters(on_meta(ordinary)) == extra


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "senet154"])
def test_agrees_with_timm(name):
    assert_agrees(getattr(senet, name), lambda: timm.create_model(name))


def test_senet154_agrees_with_timm():
    assert_agrees(senet.senet154, lambda: timm.create_model("legacy_senet154"))


@pytest.mark.parametrize("build", [senet.legacy_seresnet50, senet.senet154])
def test_map_sizes(build):
    features = on_meta(build).features(torch.empty(1, 3, 224, 224, device="meta"))
    assert [tuple(maps.shape[1:]) for maps in features.values()] == [
        (128 if build is senet.senet154 else 64, 56, 56),
        (256, 56, 56),
        (512, 28, 28),
        (1024, 14, 14),
        (2048, 7, 7),
        (2048,),
    ]


def test_senet154_shortens_with_3x3_and_the_first_stage_with_1x1():
    network = on_meta(senet.senet154)
    kernels = [getattr(network, f"layer{n}")[0].downsample[0].kernel_size for n in (1, 2, 3, 4)]
    assert kernels == [(1, 1), (3, 3), (3, 3), (3, 3)]
    assert network.layer2[0].conv2.groups == 64
    assert network.dropout == 0.2
    assert on_meta(senet.legacy_seresnet50).dropout == 0.0


def test_the_block_scales_each_map_by_its_gate():
    torch.manual_seed(0)
    block, maps = senet.SqueezeExcitation(32), torch.rand(2, 32, 4, 5)
    with torch.no_grad():
        ratio = block(maps) / maps
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), rtol=1e-5)
    assert 0 < ratio.min() < ratio.max() < 1
    assert block.fc1.bias is not None


def test_the_smallest_image():
    network = senet.legacy_seresnet50(num_classes=2).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 3, 3)).shape == (1, 2)
    with pytest.raises(UsageError, match="3 pixels"):
        network(torch.rand(1, 3, 2, 9))
