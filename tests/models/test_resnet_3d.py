"""R3D-18, against Tran et al. 2018 and torchvision."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import video

from cnnlab.errors import UsageError
from cnnlab.models.describe import cost
from cnnlab.models.resnet_3d import resnet18_3d
from tests.models.oracle import assert_agrees


def test_counts():
    with torch.device("meta"):
        found = cost(resnet18_3d(), 3, (16, 112, 112))
    assert found.parameters == 33_371_472  # torchvision's R3D_18_Weights, num_params
    assert round(found.macs / 1e9, 3) == 40.697  # the same, _ops


def test_map_sizes():
    with torch.device("meta"):
        features = resnet18_3d().features(torch.empty(1, 3, 16, 112, 112))
    assert [tuple(maps.shape[1:]) for maps in features.values()] == [
        (64, 16, 56, 56),
        (64, 16, 56, 56),
        (128, 8, 28, 28),
        (256, 4, 14, 14),
        (512, 2, 7, 7),
        (512,),
    ]


def test_agrees_with_torchvision():
    assert_agrees(resnet18_3d, video.r3d_18, (2, 3, 4, 24, 40))


def test_images_are_refused():
    with torch.device("meta"), pytest.raises(UsageError, match=r"takes \(N, 3, T, H, W\)"):
        resnet18_3d()(torch.empty(1, 3, 112, 112))
