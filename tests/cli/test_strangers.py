"""Strangers' files at the command line: named, tried on images, never silently another network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from cnnlab.cli.main import run
from cnnlab.data.preprocess import normalise
from cnnlab.models import create_model
from cnnlab.models.official_weights import CIFAR_MEAN, CIFAR_STD
from cnnlab.types import Preprocess
from tests.models.strangers import random_numbers

PREPROCESS = Preprocess(32, 32, CIFAR_MEAN, CIFAR_STD)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """ResNet-20's weights as akamaster names them, and a folder of images labelled by that network itself."""
    folder = tmp_path_factory.mktemp("stranger")
    network = create_model("resnet20", num_classes=2).eval()
    state = random_numbers(network)
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    images = (images.float() * torch.linspace(0.2, 1, 40).view(-1, 1, 1, 1)).byte()
    with torch.no_grad():
        logits = network(normalise(images, PREPROCESS))
        network.fc.bias -= (logits[:, 0] - logits[:, 1]).median() * torch.tensor([0.5, -0.5])
        labels = network(normalise(images, PREPROCESS)).argmax(1)
    assert 15 < int(labels.sum()) < 25
    renamed = {name.replace("fc.", "linear."): tensor.clone() for name, tensor in state.items()}
    save_file(renamed, folder / "stranger.safetensors")
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        place = folder / "data" / f"kind{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(place / f"{number}.png")
    return folder / "stranger.safetensors", folder / "data"


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_info_names_what_a_file_fits(capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path]) -> None:
    code, out, _ = told(capsys, "checkpoint", "info", stranger[0])
    assert code == 0
    fits = next(line for line in out.splitlines() if line.startswith("fits: "))
    assert fits == "fits: resnet20 (shortcuts without parameters (option A)); plain20 (no shortcuts)"
    assert "may also be: option A with all zeros after the channels" in out


def test_convert_asks_and_does_not_choose(
    capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], tmp_path: Path
) -> None:
    code, _, err = told(capsys, "checkpoint", "convert", stranger[0], tmp_path / "a.safetensors")
    assert code == 2
    assert "--model resnet20 (" in err
    assert "--model plain20 (" in err
    assert "checkpoint info" in err
    assert not (tmp_path / "a.safetensors").exists()
    code, out, _ = told(
        capsys, "checkpoint", "convert", stranger[0], tmp_path / "a.safetensors", "--model", "resnet20", "--json"
    )
    assert code == 0
    record = json.loads(out)
    assert (record["model"], record["num_classes"]) == ("resnet20", 2)
    assert record["may_also_be"][0] == "plain20 (no shortcuts)"


def test_try_says_which_network_and_which_input(
    capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path]
) -> None:
    code, out, _ = told(capsys, "checkpoint", "info", stranger[0], "--try", stranger[1], "--json")
    assert code == 0
    trials = json.loads(out)["trials"]
    assert (trials[0]["model"], trials[0]["normalisation"], trials[0]["top1"]) == ("resnet20", "CIFAR-10's", 1.0)
    assert {each["model"] for each in trials} == {"resnet20", "plain20"}
    assert all(each["top1"] < 0.8 for each in trials if each["model"] == "plain20")


def test_eval_of_a_file(capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path]) -> None:
    file, data = stranger
    code, out, err = told(capsys, "eval", file, data, "--json")
    assert code == 0, err
    record = json.loads(out)
    assert (record["top1"], record["images"]) == (1.0, 40)
    assert "is taken for resnet20" in err
    assert "tried on 40 test images" in err
    assert "taken: --model resnet20 --mean 0.4914,0.4822,0.4465 --std" in err
    assert "chose these, and tests them" in " ".join(err.split())
    code, out, _ = told(capsys, "eval", file, data, "--model", "plain20", "--mean", "0,0,0", "--std", "1,1,1", "--json")
    assert code == 0
    assert json.loads(out)["top1"] < 0.8


def test_predict_with_a_file(capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], tmp_path: Path) -> None:
    file, data = stranger
    image = next((data / "kind1").iterdir())
    code, _, err = told(capsys, "predict", file, image)
    assert code == 2
    assert "fits 2 networks" in err
    (tmp_path / "names.txt").write_text("left\nright\n", encoding="utf-8")
    flags = ("--model", "resnet20", "--mean", ",".join(map(str, CIFAR_MEAN)), "--std", ",".join(map(str, CIFAR_STD)))
    code, out, _ = told(capsys, "predict", file, image, *flags, "--classes", tmp_path / "names.txt", "--json")
    assert code == 0
    assert json.loads(out)["predictions"][0]["names"][0] == "right"


def test_explain_with_a_file(capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], tmp_path: Path) -> None:
    file, data = stranger
    image = next((data / "kind0").iterdir())
    code, out, _ = told(capsys, "explain", file, image, "--model", "resnet20", "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["explained"][0]["class"].startswith("class ")


@pytest.fixture(scope="module")
def several(stranger: tuple[Path, Path]) -> Path:
    """A file that holds the stranger's weights twice over: under `teacher` and as averages, beside spoilt ones."""
    path = stranger[0].with_name("several.pth.tar")
    state = load_file(stranger[0])
    spoilt = {name: each * 0 for name, each in state.items()}
    torch.save({"state_dict": spoilt, "teacher": state, "state_dict_ema": state, "epoch": 3}, path)
    return path


WHICH = (("--key", "teacher"), ("--ema",))


@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("action", ["predict", "explain", "features"])
def test_which_of_several_weights_is_chosen_wherever_a_file_is_taken(
    capsys: pytest.CaptureFixture[str],
    stranger: tuple[Path, Path],
    several: Path,
    which: tuple[str, ...],
    action: str,
    tmp_path: Path,
) -> None:
    image = next((stranger[1] / "kind1").iterdir())
    (tmp_path / "names.txt").write_text("left\nright\n", encoding="utf-8")
    flags = ("--model", "resnet20", *which, "--classes", tmp_path / "names.txt", "--json")
    flags += {"predict": (), "explain": ("--out", tmp_path), "features": ("--out", tmp_path / "f.npy")}[action]
    code, out, err = told(capsys, action, several, image, *flags)
    assert code == 0, err
    assert f"taken from {'teacher' if which == ('--key', 'teacher') else 'state_dict_ema'!r}" in err
    if action == "features":
        assert np.load(tmp_path / "f.npy").any()
    elif action == "explain":
        assert json.loads(out)["explained"][0]["class"] == "right"
    else:
        assert json.loads(out)["predictions"][0]["names"][0] == "right"


@pytest.mark.parametrize("which", WHICH)
def test_eval_and_trial_take_the_weights_that_are_asked_for(
    capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], several: Path, which: tuple[str, ...]
) -> None:
    code, out, err = told(capsys, "eval", several, stranger[1], *which, "--json")
    assert code == 0, err
    assert json.loads(out)["top1"] == 1.0
    code, out, _ = told(capsys, "checkpoint", "info", several, *which, "--try", stranger[1])
    assert code == 0
    following = next(line for line in out.splitlines() if line.startswith("next: "))
    assert f"eval {several} {stranger[1]} {' '.join(which)} --model resnet20 --mean" in following


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "resnet21"), "resnet20"),
        (("--set", "pool=padded"), "--model"),
        (("--model", "resnet18"), "does not fit"),
        (("--model", "resnet20", "--mean", "0,0,0"), "belong together"),
        (("--model", "resnet20", "--mean", "0,0", "--std", "1,1"), "takes 3 of each"),
        (("--model", "resnet20", "--classes", "nobody.txt"), "one name a line"),
        (("--mean", "red"), "list of numbers"),
        (("--model", "resnet20", "--key", "teacher"), "begins with 'teacher.'"),
        (("--model", "resnet20", "--ema"), "no averaged weights"),
    ],
)
def test_what_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], flags: tuple[str, ...], said: str
) -> None:
    file, data = stranger
    code, _, err = told(capsys, "predict", file, next((data / "kind0").iterdir()), *flags)
    assert code in (2, 3)
    assert said in err


def test_a_hub_folder_of_timm(capsys: pytest.CaptureFixture[str], stranger: tuple[Path, Path], tmp_path: Path) -> None:
    timm = create_model("resnet18", num_classes=2)
    save_file({name: tensor.clone() for name, tensor in timm.state_dict().items()}, tmp_path / "model.safetensors")
    config = {
        "architecture": "resnet18",
        "num_classes": 2,
        "label_names": ["cat", "dog"],
        "pretrained_cfg": {
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 48, 48], "crop_pct": 0.75,
            "interpolation": "bicubic",
        },
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    image = next((stranger[1] / "kind0").iterdir())
    code, out, err = told(capsys, "predict", tmp_path, image, "--json")
    assert code == 0, err
    assert set(json.loads(out)["predictions"][0]["names"]) == {"cat", "dog"}
    assert "64 pixels, of which 48, bicubic" in err
