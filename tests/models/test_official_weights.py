"""The catalogue of published files, against torchvision's own."""

from __future__ import annotations

import re

import pytest
from torchvision.models import get_model_weights
from torchvision.transforms import InterpolationMode

from cnnlab.errors import UnknownNameError
from cnnlab.models import MODELS
from cnnlab.models.official_weights import OFFICIAL, Weights, find_weights
from cnnlab.types import Interpolation


@pytest.mark.parametrize("weights", OFFICIAL, ids=lambda weights: weights.name)
def test_agrees_with_torchvision(weights: Weights) -> None:
    theirs = get_model_weights(weights.name)["IMAGENET1K_V1"]
    crop = theirs.transforms()
    accuracy = theirs.meta["_metrics"]["ImageNet-1K"]
    assert weights.url == theirs.url
    assert weights.classes == len(theirs.meta["categories"])
    assert round(100 * weights.top1, 3) == accuracy["acc@1"]
    assert round(100 * weights.top5, 3) == accuracy["acc@5"]
    assert (weights.preprocess.resize_pixels, weights.preprocess.crop_pixels) == (
        crop.resize_size[0],
        crop.crop_size[0],
    )
    assert (weights.preprocess.mean, weights.preprocess.std) == (tuple(crop.mean), tuple(crop.std))
    assert crop.interpolation == InterpolationMode.BILINEAR
    assert weights.preprocess.interpolation == Interpolation.BILINEAR


def test_every_file_is_for_a_network_of_ours() -> None:
    assert len(OFFICIAL) == 24
    assert len({weights.name for weights in OFFICIAL}) == 24
    for weights in OFFICIAL:
        assert weights.name in MODELS
        assert re.fullmatch(r"[0-9a-f]{8}", weights.sha256_prefix)
        assert weights.filename.endswith(f"-{weights.sha256_prefix}.pth")
        assert "BSD-3-Clause" in weights.licence


def test_found_by_the_name_of_the_network_or_of_the_file() -> None:
    assert find_weights("resnet50").filename == "resnet50-0676ba61.pth"
    assert find_weights("alexnet-owt-7be5be79.pth").name == "alexnet"
    with pytest.raises(UnknownNameError, match="no published weights for 'resnet51'; did you mean"):
        find_weights("resnet51")


def test_two_networks_rescale_their_input() -> None:
    rescaled = {weights.name: dict(weights.options) for weights in OFFICIAL if weights.options}
    assert rescaled == {"googlenet": {"transform_input": True}, "inception_v3": {"transform_input": True}}
