from __future__ import annotations

import pytest
import torch

from cnnlab.models import create_model
from cnnlab.models.lookalikes import likeness, looks_like, shapes_of
from cnnlab.models.weight_names import head_name


def on_meta(name: str, **options: object):
    with torch.device("meta"):
        return create_model(name, **options)


@pytest.mark.parametrize(
    ("name", "options", "names"),
    [
        ("resnet34", {"num_classes": 7}, ["resnet34"]),
        ("resnet50", {}, ["resnet50", "resnet50_v1"]),
        ("resnet20", {}, ["plain20", "resnet20"]),
        ("vgg13", {}, ["vgg13"]),
        ("googlenet", {"aux_heads": False}, ["googlenet"]),
        ("densenet121", {}, ["densenet121"]),
    ],
)
def test_a_network_of_the_catalogue_is_recognised(name: str, options: dict[str, object], names: list[str]) -> None:
    assert looks_like(shapes_of(on_meta(name, **options)), on_meta("resnet18")) == names


def test_other_names_are_recognised_too() -> None:
    shapes = shapes_of(on_meta("resnet20"))
    akamaster = {name.replace("fc.", "linear."): shape for name, shape in shapes.items() if "num_batches" not in name}
    assert "resnet20" in looks_like(akamaster, on_meta("resnet32"))


def test_the_network_itself_is_no_lookalike() -> None:
    network = on_meta("resnet18", num_classes=3)
    shapes = shapes_of(on_meta("resnet18"))
    assert looks_like(shapes, network) == []
    shapes.pop("layer1.0.conv1.weight")
    assert looks_like(shapes, network) == []


def test_nothing_looks_like_strangers() -> None:
    assert looks_like({"a": (1,)}, on_meta("resnet18")) == []


def test_likeness_is_a_share_of_all_entries() -> None:
    network = on_meta("perceptron")
    ours, head = shapes_of(network), head_name(network)
    assert likeness(ours, ours, head) == 1.0
    assert likeness({**ours, "classifier.weight": (99, 300)}, ours, head) == 1.0
    assert likeness({**ours, "hidden.bias": (99,)}, ours, head) == 0.75
    assert likeness({**ours, "more": (1,)}, ours, head) == 0.8
    assert (
        likeness({"linear.a": (1,), "fc.a": (1,), "x.shortcut.y": (1,)}, {"fc.a": (1,), "x.downsample.y": (1,)}, "fc")
        == 0
    )
