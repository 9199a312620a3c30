from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from cnnlab.cli.diagnose import strip

from ..conftest import CLASSES
from .conftest import Cli

QUICK = ("--steps", 3, "--batch-size", 8)


def test_a_healthy_network_by_name(cli: Cli) -> None:
    found = cli("diagnose", "resnet_matlab", *QUICK)
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith("resnet_matlab, new weights (own), on synthetic; SGD with momentum 0.9")
    assert lines[2].split()[:4] == ["layer", "kind", "then", "gradient"]
    assert lines[3].split()[:3] == ["conv1", "Conv2d", "relu"]
    assert any("residual blocks, branch over shortcut" in line for line in lines)
    assert lines[-1] == "nothing wrong found"


def test_a_sick_one_gets_verdict_evidence_and_remedy(cli: Cli) -> None:
    out = cli("diagnose", "resnet_matlab", *QUICK, "--lr", 1e-8).out
    assert "learning rate too low\n  evidence: " in out
    assert "\n  remedy:   a learning rate 10 to 100 times higher" in out


def test_json_has_every_number_and_the_picture_is_drawn(cli: Cli) -> None:
    found = cli("diagnose", "lenet5_modern", *QUICK, "--lr", 1e6, "--out", "new/flow.png", "--json").json
    assert [each["ailment"] for each in found["verdicts"]] == ["learning rate too high"]
    assert None in found["losses"]  # no number: JSON has none for it
    assert [layer["name"] for layer in found["flows"][0]["layers"]] == ["c1", "c3", "c5", "f6", "f7"]
    assert found["measures"]["finite"] is False
    with Image.open("new/flow.png") as picture:
        assert picture.width > 1000


def test_a_runs_own_weights_data_and_optimizer(cli: Cli, tiny_run: Path) -> None:
    before = {path: path.read_bytes() for path in tiny_run.iterdir() if path.is_file()}
    found = cli("diagnose", tiny_run, *QUICK, "--all")
    assert found.code == 0
    assert found.out.startswith(f"resnet20 as trained in {tiny_run}, on ")
    assert "; muon, learning rate " in found.out
    assert "layer1.0: " in found.out
    assert {path: path.read_bytes() for path in tiny_run.iterdir() if path.is_file()} == before


def test_a_runs_own_loss_and_multipliers(cli: Cli, own_run: Path) -> None:
    recipe = json.loads((own_run / "recipe.json").read_text(encoding="utf-8"))
    still = [{"parameters": "*", "lr": 0.0, "decay": 1.0}]
    own = {"loss": {"kind": "multi_margin", "margin": 1000.0}, "optimizer": {"kind": "sgd", "lr": 0.1}}
    (own_run / "recipe.json").write_text(
        json.dumps(recipe | own | {"label_smoothing": 0.0, "multiply": still}), encoding="utf-8"
    )
    found = cli("diagnose", own_run, *QUICK, "--json").json
    assert found["losses"][0] == pytest.approx(1000 * (1 - 1 / len(CLASSES)), rel=0.05)
    assert {layer["update_ratio"] for layer in found["flows"][0]["layers"]} == {0.0}


def test_initial_weights_can_be_chosen(cli: Cli) -> None:
    out = cli("diagnose", "lenet5_modern", *QUICK, "--init", "gaussian").out
    assert "new weights (gaussian)" in out


def test_the_chain_rule(cli: Cli) -> None:
    found = cli("diagnose", "--chain-rule", "--depth", 12, "--out", "chain.png")
    lines = found.out.splitlines()
    assert lines[1].split() == [
        *(
            "depth",
            "sigmoid",
            "sigmoid",
            "+",
            "shortcut",
            "tanh",
            "tanh",
            "+",
            "shortcut",
            "relu",
            "relu",
            "+",
            "shortcut",
        )
    ]
    assert [line.split()[0] for line in lines[2:-1]] == ["1", "2", "5", "10", "12"]
    assert lines[2].split()[1] == "0.235"
    assert Path("chain.png").is_file()
    chains = cli("diagnose", "--chain-rule", "--depth", 12, "--json").json["chains"]
    assert [len(each["products"]) for each in chains] == [12] * 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a network or a run folder"),
        (("resnet21",), "'resnet20'"),
        (("resnet20", "--init", "he"), "no initialisation 'he'"),
        (("resnet20", "--steps", "0"), "not above 0"),
        (("resnet18_3d", *QUICK), "does not take images"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[object, ...], message: str, cli: Cli) -> None:
    found = cli("diagnose", *arguments)
    assert found.code == 2
    assert message in found.err


def test_bars_stand_for_logarithms() -> None:
    assert strip([1e-8, 1e-4, 1.0]) == "▁▅█  1e-08 to 1e+00"
    assert strip([1.0, 1.0]) == "▁▁  1e+00 to 1e+00"
    assert len(strip([1.0] * 500).split()[0]) <= 60
    assert strip([0.0, float("nan")]).startswith("▁█")


def test_a_bad_step_is_replayed(cli: Cli, tmp_path: Path) -> None:
    train = ("train", "synthetic", "--model", "resnet_matlab", "--recipe", "resnet2015/cifar10", "--device", "cpu")
    wild = cli(*train, "--run", tmp_path / "run", "--epochs", 1, "--set", "optimizer.lr=1e30", "--set", "warmup=null")
    assert wild.code == 1
    assert f"cnnlab diagnose --replay {tmp_path / 'run'}" in wild.err
    said = cli("diagnose", "--replay", tmp_path / "run").out
    assert f"step 1 of {tmp_path / 'run'}: the loss became" in said
    found = cli("diagnose", "--replay", tmp_path / "run", "--json").json
    assert found["step"] == 1
    assert len(found["indices"]) == 128
    assert found["where"] in ("activations", "gradients")


def test_nothing_to_replay_is_said(cli: Cli, tmp_path: Path) -> None:
    found = cli("diagnose", "--replay", tmp_path)
    assert found.code == 2
    assert "nothing to replay" in found.err


def test_without_norms_gradients_vanish(cli: Cli) -> None:
    found = cli("diagnose", "plain20", "--set", "norm=false", "--init", "gaussian", "--steps", "2", "--json").json
    assert found["title"].startswith("plain20 norm=false, new weights (gaussian)")
    assert "vanishing gradients" in [each["ailment"] for each in found["verdicts"]]
    refused = cli("diagnose", "plain20", "--set", "nrm=false")
    assert (refused.code, "did you mean 'norm'" in refused.err) == (2, True)
