from __future__ import annotations

import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.models.catalog import create_model
from cnnlab.train.freeze import ALL_BUT_CLASSIFIER, freeze


def trained(network: torch.nn.Module) -> list[str]:
    return [name for name, parameter in network.named_parameters() if parameter.requires_grad]


def test_all_but_the_classifier() -> None:
    network = create_model("resnet20")
    norms = freeze(network, ALL_BUT_CLASSIFIER).norms
    assert trained(network) == ["fc.weight", "fc.bias"]
    assert len(norms) == 19  # one a convolution


def test_a_pattern_names_some_and_only_norms_wholly_inside_it_stand_still() -> None:
    network = create_model("resnet20")
    norms = freeze(network, "layer1.*").norms
    assert not any(name.startswith("layer1.") for name in trained(network))
    assert "conv1.weight" in trained(network)
    assert len(norms) == 6
    assert freeze(create_model("resnet20"), "layer2.0.bn1.weight").norms == ()


@pytest.mark.parametrize(("pattern", "how_many"), [("layer9.*", "no"), ("*", "every")])
def test_a_pattern_that_leaves_nothing_or_takes_nothing_is_refused(pattern: str, how_many: str) -> None:
    with pytest.raises(UsageError, match=f"matches {how_many} parameter of CifarResNet; .*conv1.weight"):
        freeze(create_model("resnet20"), pattern)


def test_what_is_frozen_is_held_and_released_but_for_what_never_trains() -> None:
    network = create_model("resnet20")
    network.get_parameter("layer1.0.conv1.weight").requires_grad_(False)  # the network's own wish
    before = trained(network)
    frozen = freeze(network, ALL_BUT_CLASSIFIER)
    frozen.hold()
    assert not any(norm.training for norm in frozen.norms)
    frozen.release()
    assert trained(network) == before
    assert all(norm.training for norm in frozen.norms)
