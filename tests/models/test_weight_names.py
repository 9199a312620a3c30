from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnlab.errors import DataError
from cnnlab.models import create_model
from cnnlab.models.weight_names import FAMILIES, classifying, head_name, rename


@pytest.mark.parametrize(
    ("theirs", "ours", "head", "family"),
    [
        ("conv1.weight", "conv1.weight", "fc", 0),
        ("linear.weight", "fc.weight", "fc", 1),
        ("layer2.0.shortcut.0.weight", "layer2.0.downsample.0.weight", "fc", 1),
        (
            "features.denseblock1.denselayer2.norm.1.running_mean",
            "features.denseblock1.denselayer2.norm1.running_mean",
            "classifier",
            2,
        ),
        (
            "features.denseblock4.denselayer24.conv.2.weight",
            "features.denseblock4.denselayer24.conv2.weight",
            "classifier",
            2,
        ),
        ("last_linear.bias", "classif.bias", "classif", 3),
        ("last_linear.bias", "head.fc.bias", "head.fc", 3),
        ("pre_logits.fc1.weight", "classifier.0.weight", "classifier.6", 4),
        ("pre_logits.fc2.bias", "classifier.3.bias", "classifier.6", 4),
        ("head.fc.weight", "classifier.6.weight", "classifier.6", 4),
    ],
)
def test_the_tables(theirs: str, ours: str, head: str, family: int) -> None:
    found = rename([theirs, "bn1.weight"], [ours, "bn1.weight"], head)
    assert found.theirs == {ours: theirs, "bn1.weight": "bn1.weight"}
    assert found.family == FAMILIES[family].name


def test_names_of_ours_stay_even_where_a_rule_would_change_them() -> None:
    assert rename(["last_linear.weight"], ["last_linear.weight"], "last_linear").family == FAMILIES[0].name
    assert rename(["linear.weight"], ["something.else"], "fc").theirs == {"linear.weight": "linear.weight"}


def test_two_entries_for_one_of_ours_are_refused() -> None:
    with pytest.raises(DataError, match="two entries for one of ours, such as"):
        rename(["linear.weight", "fc.weight", "a.shortcut.0"], ["fc.weight", "a.downsample.0"], "fc")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet20", "fc"),
        ("vgg11", "classifier.6"),
        ("alexnet", "classifier.6"),
        ("densenet121", "classifier"),
        ("resnetv2_50", "head.fc"),
        ("legacy_seresnet50", "last_linear"),
        ("inception_resnet_v2", "classif"),
        ("nin_cifar", "classifier.cccp"),
        ("lenet5", "output"),
    ],
)
def test_the_head_of_a_network(name: str, head: str) -> None:
    with torch.device("meta"):
        assert head_name(create_model(name)) == head
    assert head_name(nn.Linear(1, 1)) == ""


def test_entries_that_count_classes() -> None:
    assert classifying("fc.weight", "fc")
    assert classifying("aux1.fc2.bias", "fc")
    assert classifying("AuxLogits.fc.weight", "fc")
    assert not classifying("aux1.fc1.weight", "fc")
    assert not classifying("fc2.weight", "fc")
    assert not classifying("fc.weight", "")
