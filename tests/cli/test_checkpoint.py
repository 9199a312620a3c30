from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from cnnlab.models import create_model
from cnnlab.models.weights import load_weights

from .conftest import Cli


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A CIFAR checkpoint with the names of others, for seven classes."""
    state = create_model("resnet20", num_classes=7).state_dict()
    renamed = {f"module.{name.replace('fc.', 'linear.')}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": renamed}, tmp_path / "theirs.th")
    return tmp_path / "theirs.th"


def test_info_says_what_a_file_holds(cli: Cli, theirs: Path) -> None:
    found = cli("checkpoint", "info", theirs, "--json").json
    assert found["looks_like"] == ["plain20", "resnet20"]
    assert found["entries"] == len(create_model("resnet20").state_dict())
    assert found["dtypes"] == ["float32", "int64"]
    assert "looks like: plain20, resnet20" in cli("checkpoint", "info", theirs).out


def test_a_converted_file_loads_under_our_names(cli: Cli, theirs: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.safetensors"
    said = cli("checkpoint", "convert", theirs, out, "--model", "resnet20").out
    assert "linear.weight -> fc.weight" in said
    network = create_model("resnet20", num_classes=7)
    assert load_weights(network, out).renamed == {}
    assert torch.equal(network.fc.weight, torch.load(theirs)["state_dict"]["module.linear.weight"])
    assert cli("checkpoint", "convert", theirs, out).code == 2, "never overwritten"


def test_the_network_is_recognised_and_the_head_can_go(cli: Cli, tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(num_classes=5).state_dict(), tmp_path / "a.pth")
    found = cli("checkpoint", "convert", tmp_path / "a.pth", tmp_path / "b.safetensors", "--drop-head", "--json").json
    assert found["model"] == "resnet18"
    assert found["left_out"] == ["fc.weight", "fc.bias"]
    assert not any(name.startswith("fc.") for name in load_file(tmp_path / "b.safetensors"))


def test_what_is_wrong_is_said(cli: Cli, tmp_path: Path, theirs: Path) -> None:
    (tmp_path / "text.pth").write_text("hello")
    assert cli("checkpoint", "info", tmp_path / "text.pth").code == 3
    assert cli("checkpoint", "info", tmp_path / "gone.pth").code == 3
    assert cli("checkpoint", "convert", theirs).code == 2
    assert "does not fit" in cli("checkpoint", "convert", theirs, tmp_path / "c.safetensors", "--model", "resnet32").err
