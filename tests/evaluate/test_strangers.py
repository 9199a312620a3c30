"""What a file does not say: which network it is, how it saw its images, what its classes are called."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

import cnnlab
from cnnlab.errors import DataError, UsageError
from cnnlab.evaluate import strangers
from cnnlab.evaluate.pretrained import is_hub_folder
from cnnlab.evaluate.strangers import Known, assumed_for, named_by, open_file, open_hub_folder, placeholders
from cnnlab.models import create_model
from cnnlab.models.official_weights import CIFAR_MEAN, MEAN, find_weights
from cnnlab.models.recognise import Candidate
from cnnlab.models.weight_files import Which


def saved(path: Path, name: str, **options: object) -> Path:
    state = create_model(name, **options).state_dict()
    save_file({key: tensor.clone() for key, tensor in state.items()}, path)
    return path


def test_the_only_network_that_fits_is_taken_with_its_options(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", "resnet20", shortcut="B", num_classes=4)
    classifier, said = open_file(path)
    assert (classifier.config.architecture, classifier.config.options) == ("resnet20", {"shortcut": "B"})
    assert classifier.config.labels.names == placeholders(4)
    assert said[0] == f"{path} is taken for resnet20 --set shortcut=B"
    assert said[-1].startswith("assumed, as the file does not say: --mean 0.4914,")
    assert cnnlab.load(path).config == classifier.config


def test_several_networks_are_not_chosen_between(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.safetensors", "resnet18_cifar")
    with pytest.raises(UsageError, match=r"fits 2 networks.*--model resnet18_cifar --set pool=padded"):
        open_file(path)
    classifier, said = open_file(path, Known("resnet18_cifar", {"pool": "padded"}))
    assert isinstance(classifier.network.get_submodule("maxpool"), torch.nn.MaxPool2d)
    assert any("may as well be resnet18_cifar (no max pool" in each for each in said)


@pytest.mark.parametrize("head", [(), ("fc.0", "fc.2")])
def test_a_file_without_our_last_layer_says_so_and_what_it_is_good_for(tmp_path: Path, head: tuple[str, ...]) -> None:
    state = {name: each for name, each in create_model("resnet20").state_dict().items() if not name.startswith("fc.")}
    state |= {f"{each}.weight": torch.ones(64, 64) for each in head}
    save_file(state, tmp_path / "a.safetensors")
    held = "holds fc.0.weight, fc.2.weight there" if head else "has none"
    with pytest.raises(DataError, match=rf"but for the last layer, fc: the file {held}, .* --pretrained"):
        open_file(tmp_path / "a.safetensors", Known("resnet20"))


def test_names_that_are_of_no_network_are_said(tmp_path: Path) -> None:
    state = {f"1.{name}": each for name, each in create_model("resnet20").state_dict().items()}
    save_file({**state, "0.mean": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"its names begin with [01], [01]: .*--key NAME"):
        open_file(tmp_path / "a.safetensors")
    classifier, _ = open_file(tmp_path / "a.safetensors", Known("resnet20", which=Which("1")))
    assert torch.equal(classifier.network.state_dict()["conv1.weight"].cpu(), state["1.conv1.weight"])


def test_what_fits_nothing_says_what_it_looks_like(tmp_path: Path) -> None:
    state = create_model("resnet20").state_dict()
    state["more"] = torch.ones(2)
    save_file({key: tensor.clone() for key, tensor in state.items()}, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"fits no network of the catalogue; it looks most like plain20 or resnet20"):
        open_file(tmp_path / "a.safetensors")
    with pytest.raises(DataError, match="unexpected: more"):
        open_file(tmp_path / "a.safetensors", Known("resnet20"))


def test_published_files_are_known_by_their_sum_and_not_by_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "anything.safetensors", "resnet20")
    akamaster = find_weights("resnet20")
    digest = sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(strangers, "find_by_sha256", lambda found: akamaster if found == digest else None)
    classifier, said = open_file(path)
    assert classifier.config.preprocess == akamaster.preprocess
    assert classifier.config.labels.names[0] == "airplane"
    assert f"published as {akamaster.filename}" in said
    other = saved(tmp_path / akamaster.filename, "resnet20", num_classes=10)
    with pytest.raises(UsageError, match="fits 2 networks"):
        open_file(other)


def test_preprocessing_is_assumed_by_the_size_of_the_images() -> None:
    assert assumed_for(Candidate("resnet20")).mean == CIFAR_MEAN
    assert assumed_for(Candidate("resnet50")).mean == MEAN
    assert (assumed_for(Candidate("resnet50")).resize_pixels, assumed_for(Candidate("inception_v3")).crop_pixels) == (
        256,
        299,
    )
    assert (assumed_for(Candidate("lenet5_modern")).pad_pixels, assumed_for(Candidate("lenet_caffe")).pad_pixels) == (
        2,
        0,
    )
    assert assumed_for(Candidate("lenet5_modern", {"padding": 2})).pad_pixels == 0


def test_classes_are_named_by_the_data(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (32, 32), (number, 9, 9)).save(tmp_path / "data" / name / f"{number}.png")
    path = saved(tmp_path / "a.safetensors", "resnet20", shortcut="B", num_classes=2)
    classifier, _ = open_file(path)
    assert named_by(classifier, str(tmp_path / "data")).config.labels.names == ("cat", "dog")
    three, _ = open_file(saved(tmp_path / "b.safetensors", "resnet20", shortcut="B", num_classes=3))
    with pytest.raises(UsageError, match=r"tells 3 classes apart, and .* has 2"):
        named_by(three, str(tmp_path / "data"))


def hub(folder: Path, config: object, weights: str = "model.safetensors") -> Path:
    network = timm.create_model("resnet18", num_classes=3)
    if weights.endswith("bin"):
        torch.save(network.state_dict(), folder / weights)
    else:
        save_file({name: tensor.clone() for name, tensor in network.state_dict().items()}, folder / weights)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_hub_folder_of_timm_loads_with_its_preprocessing(tmp_path: Path, weights: str) -> None:
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 288, 288], "crop_pct": 0.95}
    config = {"architecture": "resnet18", "num_classes": 3, "pretrained_cfg": {**cfg, "interpolation": "bicubic"}}
    classifier, said = open_hub_folder(hub(tmp_path, config, weights))
    preprocess = classifier.config.preprocess
    assert (preprocess.resize_pixels, preprocess.crop_pixels, preprocess.interpolation) == (303, 288, "bicubic")
    assert preprocess.mean == (0.5, 0.5, 0.5)
    assert said[-1] == "preprocessing as its config.json says: 303 pixels, of which 288, bicubic"
    assert cnnlab.load(tmp_path).config.architecture == "resnet18"


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        ({"crop_pct": 0}, None),
        ({"crop_pct": 7}, "cannot be"),
        ({"mean": "red"}, "cannot be read"),
        ({"std": [0.0] * 3}, "cannot be"),
        ({"input_size": {"pixels": 224}}, "cannot be read"),
        ({"input_size": [3, 1e999]}, "cannot be read"),
    ],
)
def test_a_config_that_cannot_be_is_refused(tmp_path: Path, cfg: dict[str, object], said: str | None) -> None:
    folder = hub(tmp_path, {"architecture": "resnet18", "pretrained_cfg": cfg})
    if said is None:
        assert open_hub_folder(folder)[0].config.preprocess.resize_pixels == 256
        return
    with pytest.raises(DataError, match=said):
        open_hub_folder(folder)


@pytest.mark.parametrize("architecture", ["resnetblur18", "resnet18x"])
def test_a_hub_folder_of_another_network_with_the_same_entries_is_not_taken_for_ours(
    tmp_path: Path, architecture: str
) -> None:
    folder = hub(tmp_path, {"architecture": architecture, "num_classes": 3})
    with pytest.raises(UsageError, match=rf"timm's '{architecture}', .*: --model resnet18 takes it"):
        cnnlab.load(folder)
    classifier, _ = open_hub_folder(folder, Known("resnet18"))
    assert classifier.config.architecture == "resnet18"


def test_endless_brackets_are_no_config_of_a_hub(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000, encoding="utf-8")
    assert not is_hub_folder(tmp_path)


def test_options_of_timm_that_ours_has_not_are_refused(tmp_path: Path) -> None:
    config = {"architecture": "resnet18", "model_args": {"num_classes": 3, "act_layer": "silu"}}
    with pytest.raises(UsageError, match=r"timm's resnet18 with act_layer, .*--model resnet18 takes it without"):
        open_hub_folder(hub(tmp_path, config))
    assert open_hub_folder(tmp_path, Known("resnet18"))[0].config.num_classes == 3
    for given in ({"num_classes": 3}, None, 5):
        classifier, _ = open_hub_folder(hub(tmp_path, {**config, "model_args": given}))
        assert classifier.config.num_classes == 3


def test_a_hub_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"expected model\.safetensors or pytorch_model\.bin"):
        open_hub_folder(tmp_path)
