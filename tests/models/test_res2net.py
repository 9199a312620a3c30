"""Res2Net, against facts/networks.md section 15 and timm."""

from __future__ import annotations

import pytest
import timm
import torch

from cnnlab.models import res2net
from cnnlab.models.describe import cost
from tests.models.oracle import assert_agrees

COUNTS = {  # parameters, GMACs as rounded there
    "res2net50_26w_4s": (25_699_120, 4.255),
    "res2net50_14w_8s": (25_059_816, 4.179),
    "res2net50_26w_6s": (37_051_448, 6.296),
    "res2net50_26w_8s": (48_403_776, 8.336),
    "res2net50_48w_2s": (25_287_304, 4.160),
    "res2net101_26w_4s": (45_206_688, 8.067),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    parameters, giga_macs = COUNTS[name]
    with torch.device("meta"):
        found = cost(getattr(res2net, name)(), 3, 224)
    assert found.parameters == parameters
    assert round(found.macs / 1e9, 3) == giga_macs


@pytest.mark.parametrize("name", COUNTS)
def test_agrees_with_timm(name):
    assert_agrees(getattr(res2net, name), lambda: timm.create_model(name))


def test_the_last_slice_passes_and_each_other_adds_the_one_before():
    block = res2net.Bottle2neck(64, 16, 1, width=16, scale=4).eval()
    for conv in block.convs:  # each convolution the identity: slices add up
        torch.nn.init.dirac_(conv.weight)
        conv.bias = None
    a, b, c, d = torch.rand(4, 1, 4, 3, 3)
    with torch.no_grad():
        found = block.hierarchy(torch.cat([a, b, c, d], dim=1))
    torch.testing.assert_close(found, torch.cat([a, a + b, a + b + c, d], dim=1), rtol=1e-3, atol=1e-3)
