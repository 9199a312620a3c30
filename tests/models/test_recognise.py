"""Files of strangers are recognised with their options, and the network that is made of them computes the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnlab import errors as cnnlab_errors
from cnnlab.models import create_model
from cnnlab.models.lookalikes import looks_like
from cnnlab.models.recognise import MOST_ENTRIES, Candidate, entries_of, fit, recognise
from cnnlab.models.twins import with_twins
from cnnlab.models.weights import load_weights
from tests.models import strangers
from tests.models.oracle import relative_difference
from tests.models.strangers import random_numbers


def shapes(name: str, **options: object) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = create_model(name, **options)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet20", {"shortcut": "B", "num_classes": 100}),
        ("resnet18", {"shortcut": "C", "in_channels": 1}),
        ("resnet34_cifar", {"num_classes": 7}),
        ("resnet_cifar", {"layers": 26, "width": 8, "shortcut": "B"}),
        ("resnet_cifar", {"layers": 29, "bottleneck": True, "shortcut": "B"}),
        ("resnetv2_cifar", {"layers": 29, "width": 32}),
        ("resnetv2_34_cifar", {"last_norm": True}),
        ("wrn_cifar", {"layers": 16, "widen": 4}),
        ("densenet_cifar", {"growth": 8, "layers": [2, 4, 2, 3]}),
        ("densenet_cifar", {"layers": [5, 5, 5], "bottleneck": False, "transition_maps": 1.0}),
        ("densenet121", {"stem": "3x3", "num_classes": 10}),
        ("resnext_cifar", {"groups": 32, "group_width": 4, "stem": "1x1"}),
        ("vgg_cifar", {"hidden": 0, "column": "A", "batch_norm": True, "width": 32}),
        ("plain_cifar", {"layers": 14, "norm": False}),
        ("googlenet", {"aux_heads": False, "num_classes": 3}),
        ("lenet5_modern", {"in_channels": 3}),
    ],
)
def test_options_show_in_the_shapes(name: str, options: dict[str, object]) -> None:
    found = recognise(shapes(name, **options))
    assert [(each.model, dict(each.options)) for each in found] == [(name, options)]


def test_networks_of_a_fixed_shape_come_before_general_ones() -> None:
    assert [each.model for each in recognise(shapes("resnet_cifar"))] == ["plain20", "resnet20"]
    assert [each.model for each in recognise(shapes("wrn_cifar", layers=16, widen=8))] == ["wrn16_8"]
    assert [each.model for each in recognise(shapes("resnet50"))] == ["resnet50", "resnet50_v1"]


def test_what_does_not_fit_is_not_recognised() -> None:
    whole = shapes("resnet20")
    assert recognise({"a": (1,)}) == []
    assert recognise({name: shape for name, shape in whole.items() if name != "layer1.0.conv1.weight"}) == []
    assert recognise({**whole, "more": (3,)}) == []
    assert recognise({**whole, "layer2.0.conv1.weight": (32, 16, 5, 5)}) == []


def test_a_file_of_endless_entries_is_not_held_against_the_catalogue() -> None:
    assert max(len(shapes(name)) for name in ("resnet1202", "resnetv2_1001")) < MOST_ENTRIES
    endless = {f"layer1.{number}.conv1.weight": (1,) for number in range(MOST_ENTRIES + 1)}
    before = time.process_time()
    assert (recognise(endless), looks_like(endless)) == ([], [])
    assert time.process_time() - before < 1


def test_one_network_with_options_that_a_file_cannot_show() -> None:
    found = fit("resnet18_cifar", shapes("resnet18_cifar", num_classes=7), {"pool": "padded"})
    assert found is not None
    assert found.options == {"num_classes": 7, "pool": "padded"}
    assert fit("resnet34_cifar", shapes("resnet18_cifar")) is None


def test_a_candidate_is_spelt_as_the_command_line_takes_it() -> None:
    assert str(Candidate("resnet20", {"shortcut": "B", "num_classes": 5})) == "resnet20 --set shortcut=B"
    candidate = Candidate("densenet_cifar", {"layers": [2, 3], "transition_relu": False})
    assert str(candidate) == "densenet_cifar --set layers=[2,3] --set transition_relu=false"
    assert len(entries_of(Candidate("lenet5_modern"))) == 10


STRANGERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "weiaicunzai resnet": (strangers.weiaicunzai_resnet18, "resnet18_cifar"),
    "xternalz": (strangers.xternalz_wrn, "wrn_cifar --set layers=10 --set widen=2"),
    "andreasveit": (lambda: strangers.densenet("block{}__layer"), "densenet_cifar --set layers=[2,2,2] --set growth=4"),
    "bamos": (lambda: strangers.densenet("dense{}"), "densenet_cifar --set layers=[2,2,2] --set growth=4"),
    "bearpaw densenet": (
        lambda: strangers.densenet("dense{}", norm="bn"),
        "densenet_cifar --set layers=[2,2,2] --set growth=4",
    ),
    "kuangliu densenet": (
        lambda: strangers.densenet("dense{}", norm="bn", transition="", head="linear", new_first=True),
        "densenet_cifar --set layers=[2,2,2] --set growth=4 --set new_first=true",
    ),
    "weiaicunzai densenet": (
        strangers.weiaicunzai_densenet,
        "densenet_cifar --set layers=[2,2,2] --set growth=4 --set transition_relu=false",
    ),
    "prlz77": (
        strangers.prlz77_resnext,
        "resnext_cifar --set layers=11 --set groups=2 --set group_width=16",
    ),
    "kuangliu pre-activation": (
        lambda: strangers.pre_activation(
            "shortcut", (64, 128, 256, 512), reads="activated", last_norm=False, head="linear", blocks=2
        ),
        "resnetv2_18_cifar",
    ),
    "pre-activation with its last norm": (
        lambda: strangers.pre_activation(
            "shortcut", (64, 128, 256, 512), reads="activated", last_norm=True, head="linear", blocks=2
        ),
        "resnetv2_18_cifar --set last_norm=true",
    ),
    "bearpaw pre-activation": (
        lambda: strangers.pre_activation("downsample", (16, 32, 64), reads="sum", last_norm=True, head="fc", blocks=2),
        "resnetv2_cifar --set layers=14 --set bottleneck=false --set projects=sum",
    ),
    "tutorial": (strangers.tutorial_lenet, "lenet5_modern"),
    "d2l": (
        strangers.d2l_lenet,
        "lenet5_modern --set activation=sigmoid --set pool=average --set padding=2",
    ),
    "fbresnet": (strangers.fbresnet18, "resnet18"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_one_of_the_candidates_computes_what_the_stranger_does(tmp_path: Path, case: str) -> None:
    make, wanted = STRANGERS[case]
    theirs = make().eval()
    state = {name: tensor.clone() for name, tensor in random_numbers(theirs).items()}
    if case == "fbresnet":
        state = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    save_file(state, tmp_path / "a.safetensors")
    side = 28 if case == "d2l" else 32
    channels = next(tensor for tensor in state.values() if tensor.ndim == 4).shape[1]
    images = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answer = theirs(images)
    same = []
    for candidate in with_twins(recognise({name: tuple(tensor.shape) for name, tensor in state.items()})):
        network = candidate.create().eval()
        load_weights(network, tmp_path / "a.safetensors")
        if network.smallest_pixels > side:
            continue
        with torch.no_grad():
            same += [str(candidate)] if case_agrees(network, images, answer) else []
    assert same == [wanted]


def case_agrees(network: nn.Module, images: Tensor, answer: Tensor) -> bool:
    try:
        return relative_difference(network(images), answer) < 1e-4
    except cnnlab_errors.UsageError:  # a LeNet for images of another size
        return False
