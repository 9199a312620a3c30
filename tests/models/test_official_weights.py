"""The catalogue of published files, against torchvision's and timm's own."""

from __future__ import annotations

import re

import pytest
import timm
import torch
from torchvision.models import get_model_weights
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import normalize

from cnnlab.errors import UnknownNameError
from cnnlab.models import MODELS
from cnnlab.models.layers import ImagenetToInceptionRange
from cnnlab.models.official_weights import AKAMASTER, CADENE, CHENYAOFO, OFFICIAL, TORCHVISION, Weights, find_weights
from cnnlab.types import Interpolation


def kept_by(project: str) -> list[Weights]:
    return [weights for weights in OFFICIAL if weights.url.startswith(project)]


@pytest.mark.parametrize("weights", kept_by(TORCHVISION), ids=lambda weights: weights.name)
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
    if weights.name in ("googlenet", "inception_v3"):
        image = torch.rand(1, 3, 4, 4)
        normalised = normalize(image, crop.mean, crop.std)
        undone = ImagenetToInceptionRange()(normalised)
        torch.testing.assert_close(undone, normalize(image, weights.preprocess.mean, weights.preprocess.std))
    else:
        assert (weights.preprocess.mean, weights.preprocess.std) == (tuple(crop.mean), tuple(crop.std))
    assert crop.interpolation == InterpolationMode.BILINEAR
    assert weights.preprocess.interpolation == Interpolation.BILINEAR


@pytest.mark.parametrize("weights", kept_by(CADENE), ids=lambda weights: weights.name)
def test_cadenes_files_are_prepared_for_as_timm_does(weights: Weights) -> None:
    if weights.name == "bn_inception":  # not in timm: Cadene's own settings, in units of 0 to 255, blue first
        assert [255 * each for each in weights.preprocess.mean] == pytest.approx([104, 117, 128])
        assert [255 * each for each in weights.preprocess.std] == pytest.approx([1, 1, 1])
        assert weights.preprocess.bgr
        return
    theirs = timm.get_pretrained_cfg(weights.name)
    assert (weights.preprocess.mean, weights.preprocess.std) == (theirs.mean, theirs.std)
    assert theirs.input_size == (3, weights.preprocess.crop_pixels, weights.preprocess.crop_pixels)
    assert weights.classes == (1001 if weights.name in ("inception_v4", "inception_resnet_v2") else 1000)


def test_every_file_is_for_a_network_of_ours() -> None:
    assert [len(kept_by(project)) for project in (TORCHVISION, CADENE, AKAMASTER, CHENYAOFO)] == [24, 7, 6, 8]
    assert len({weights.filename for weights in OFFICIAL}) == len(OFFICIAL) == 45
    for weights in OFFICIAL:
        assert weights.name in MODELS
        assert re.fullmatch(r"[0-9a-f]{8,9}", weights.sha256_prefix)
        assert re.search(rf"-{weights.sha256_prefix}\.(pth|th|pt)$", weights.filename)
        assert re.match("BSD-[23]-Clause", weights.licence)
        assert 0.5 < weights.top1 < (weights.top5 or 1.0)


def test_found_by_the_name_of_the_network_or_of_the_file() -> None:
    assert find_weights("resnet50").filename == "resnet50-0676ba61.pth"
    assert find_weights("alexnet-owt-7be5be79.pth").name == "alexnet"
    with pytest.raises(UnknownNameError, match="no published weights for 'resnet51'; did you mean"):
        find_weights("resnet51")
