"""`cnnlab train` from the first word to the finished run, on sets small enough for a few seconds."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from cnnlab.train.run import Run

from ..conftest import PIXELS
from .conftest import Cli

KEYS = {
    "run",
    "recipe",
    "model",
    "parameters",
    "device",
    "seed",
    "steps",
    "epochs",
    "train_seconds",
    "images_per_second",
    "val",
    "test",
}
SMALL = ("--model", "resnet20", "--epochs", "1", "--batch-size", "8", "--set", f"folder_pixels={PIXELS}")
# The made set at 8 pixels until its end; validation and test at 32.
SYNTHETIC = (
    "--model",
    "resnet20",
    "--epochs",
    "1",
    "--batch-size",
    "100",
    "--set",
    'resolutions=[{"until": 1.0, "pixels": 8}]',
)


def test_from_the_made_set_to_a_tested_run(cli: Cli, tmp_path: Path) -> None:
    found = cli("train", "synthetic", *SYNTHETIC, "--run", "first", "--json")
    assert found.code == 0
    values = found.json
    assert values.keys() >= KEYS
    assert (values["run"], values["model"], values["parameters"], values["seed"]) == ("first", "resnet20", 269_722, 0)
    assert (values["steps"], values["epochs"], values["test"]["images"]) == (20, 1.0, 500)
    assert 0 <= values["test"]["interval95"][0] <= values["test"]["top1"] <= 1
    assert 0 <= values["val"]["top1"] <= 1
    names = {path.name for path in (tmp_path / "first").iterdir()}
    assert names >= {"recipe.json", "metrics.jsonl", "metrics.csv", "curves.png", "config.json", "report.html"}
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert json.loads((tmp_path / "first" / "result.json").read_text(encoding="utf-8"))["test"] == values["test"]


def test_people_see_the_accuracy_and_what_to_type_next(cli: Cli, shapes: Path) -> None:
    found = cli("train", shapes, *SMALL, "--run", "a [b]", "--seed", "3")
    assert (found.code, found.err) == (0, "")
    assert "test accuracy " in found.out
    assert "95% interval" in found.out
    assert "run folder a [b] (" in found.out
    following = found.out.partition("next:\n")[2].splitlines()
    assert [shlex.split(line)[:2] for line in following] == [
        *(["cnnlab", "predict"], ["cnnlab", "explain"], ["cnnlab", "eval"]),
        ["tensorboard", "--logdir"],
    ]
    for line in following[:-1]:
        assert cli(*shlex.split(line)[1:]).code == 0


def test_several_seeds_have_a_mean_and_a_deviation(cli: Cli, shapes: Path) -> None:
    values = cli("train", shapes, *SMALL, "--runs", "2", "--run", "seeds", "--json").json
    tops = [run["test"]["top1"] for run in values["runs"]]
    assert [run["seed"] for run in values["runs"]] == [0, 1]
    assert values["test"]["mean"] == pytest.approx(sum(tops) / 2)
    assert values["test"]["std"] == pytest.approx(abs(tops[0] - tops[1]) / 2**0.5)
    assert values.keys() >= KEYS
    assert values["test"].keys() >= {"top1", "interval95", "images"}


def test_a_setting_reaches_the_run(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    found = cli("train", shapes, *SMALL, "--lr", "0.01", "--set", "label_smoothing=0.3", "--run", "r", "--json")
    assert found.code == 0
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert (recipe["optimizer"]["lr"], recipe["label_smoothing"], recipe["batch_size"]) == (0.01, 0.3, 8)


def test_how_steps_are_taken_reaches_the_run(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    for flags, graphs in (((), None), (("--graphs",), True), (("--no-graphs",), False)):
        found = cli("train", shapes, *SMALL, *flags, "--run", str(graphs), "--json")
        assert found.code == 0, found.err
        assert json.loads((tmp_path / str(graphs) / "settings.json").read_text(encoding="utf-8"))["graphs"] is graphs
        assert (found.json["compile_seconds"] > 0) == bool(graphs)
    refused = cli("train", shapes, *SMALL, "--graphs", "--spike", "5", "--run", "refused")
    assert (refused.code, "--graphs cannot be: --spike compares" in refused.err) == (2, True)


def test_two_runs_never_share_a_folder(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    before = (tiny_run / "result.json").read_bytes()
    found = cli("train", shapes, *SMALL, "--run", tiny_run)
    assert (found.code, found.out) == (2, "")
    assert "already in use" in found.err
    assert (tiny_run / "result.json").read_bytes() == before


def test_a_finished_run_cannot_be_resumed(cli: Cli, own_run: Path) -> None:
    found = cli("train", "--resume", "--run", own_run)
    assert found.code == 2
    assert "finished already" in found.err


def test_a_mistake_leaves_no_folder_behind(cli: Cli, tmp_path: Path) -> None:
    for more in (("--model", "resnet_20"), ("--set", "lr=1"), ("--device", "gpu")):
        assert cli("train", "synthetic", *more, "--run", "new").code == 2
    assert cli("train", "gone/", "--run", "new").code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_process_prints_json_alone_and_talks_beside_it(process: Cli, shapes: Path) -> None:
    found = process("train", shapes, *SMALL, "--run", "r", "--json")
    assert found.code == 0
    assert found.json.keys() >= KEYS
    assert "images to train on" in found.err


def test_fine_tuning_takes_the_network_and_its_images_from_the_run(
    cli: Cli, shapes: Path, tiny_run: Path, tmp_path: Path
) -> None:
    found = cli(
        "train", shapes, "--pretrained", tiny_run, "--freeze", "--epochs", "1", "--batch-size", "8", "--run", "tuned"
    )
    assert found.code == 0, found.err
    assert f"starts from the weights of {tiny_run}; images are normalised as there" in found.out
    recipe = json.loads((tmp_path / "tuned" / "recipe.json").read_text(encoding="utf-8"))
    assert (recipe["name"], recipe["model"], recipe["folder_pixels"]) == ("modern/finetune", "resnet20", PIXELS)
    settings = json.loads((tmp_path / "tuned" / "settings.json").read_text(encoding="utf-8"))
    assert settings["freeze"] == "all but the classifier"


def test_mistakes_with_weights_to_start_from_are_usage_errors(cli: Cli, shapes: Path, tiny_run: Path) -> None:
    for more, message in (
        (("--pretrained", "resnet_18"), "neither a run folder"),
        (("--pretrained",), "--model resnet18"),
        (("--pretrained", tiny_run, "--model", "resnet32"), "holds a resnet20, and this run trains a resnet32"),
        (("--model", "resnet20", "--freeze", "nothing.*"), "matches no parameter"),
        (("--max-bad", "2"), "not a share between 0 and 1"),
    ):
        found = cli("train", shapes, *more, "--batch-size", "8", "--run", "new")
        assert (found.code, message in found.err) == (2, True), (more, found.err)


def test_imagenet_is_asked_for_by_name(cli: Cli) -> None:
    found = cli("train", "--recipe", "vgg2014/imagenet-a")
    assert found.code == 2
    assert "cnnlab train FOLDER --recipe vgg2014/imagenet-a" in found.err


def test_photos_are_cut_anew_by_a_recipe_that_says_so(cli: Cli, shapes: Path) -> None:
    small = ("crop.pixels=16", "test_resize_pixels=18", "test_crop_pixels=16", "model=resnet20", "batch_size=8")
    settings = [each for value in small for each in ("--set", value)]
    more = ("--class-weights", "auto", "--balanced", "--max-bad", "0", "--epochs", "1", "--run", "r", "--json")
    found = cli("train", shapes, "--recipe", "modern/imagenet", *settings, *more)
    assert found.code == 0, found.err
    assert found.json["test"]["images"] >= 3


def test_a_watched_training_leaves_its_flow_and_trains_the_same(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    for name, more in (("plain", ()), ("watched", ("--watch", "2"))):
        assert cli("train", shapes, *SMALL, *more, "--run", name).code == 0
    lines = (tmp_path / "watched" / "flow.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps[:2] == [0, 2]
    assert (tmp_path / "watched" / "flow.png").is_file()
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "watched")]
    assert weights[0] == weights[1]


def test_data_after_watch_is_no_number_of_steps(cli: Cli) -> None:
    found = cli("train", "--watch", "cifar10")
    assert found.code == 2
    assert "'cifar10' is no number of steps; DATA goes before --watch" in found.err


def test_what_is_left_to_be_found_is_said(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    small = ("--model", "resnet20", "--epochs", "1", "--set", f"folder_pixels={PIXELS}", "--set", "batch_size=8")
    found = cli("train", shapes, *small, "--lr", "auto", "--batch-size", "auto", "--run", "r")
    assert found.code == 0, found.err
    assert "batch size: the recipe's 8; on a CPU a larger one is no faster" in found.out
    assert "learning rate: " in found.out
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert f"learning rate: {recipe['optimizer']['lr']:.2g}, 10 times below" in found.out


def test_a_trial_on_a_few_images_keeps_nothing_and_gives_a_verdict(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    small = ("--model", "resnet20", "--set", f"folder_pixels={PIXELS}", "--overfit", "4")
    found = cli("train", shapes, *small, "--lr", "0.05", "--json")
    assert found.code == 0, found.err
    assert found.json["overfit"].keys() == {"images", "steps", "top1", "loss", "learned"}
    assert (found.json["overfit"]["images"], found.json["overfit"]["learned"], found.json["advice"]) == (4, True, [])
    hopeless = cli("train", shapes, *small, "--lr", "1e30")
    assert "not learned: " in hopeless.out
    assert f"cnnlab diagnose resnet20 {shapes}" in hopeless.out
    assert list(tmp_path.iterdir()) == []


def test_a_trial_names_what_it_has_no_use_for(cli: Cli) -> None:
    found = cli("train", "synthetic", "--overfit", "4", "--run", "r", "--patience", "2", "--runs", "2", "--lr", "auto")
    assert found.code == 2
    assert "leave out --run, --patience, --runs, --lr" in found.err


def test_weights_are_shared_out_among_several_processes_alone(cli: Cli, tmp_path: Path) -> None:
    found = cli("train", "synthetic", *SYNTHETIC, "--fsdp", "--run", "r")
    assert (found.code, "start several with torchrun --nproc-per-node N" in found.err) == (2, True)
    assert list(tmp_path.iterdir()) == []
    trial = cli("train", "synthetic", "--overfit", "4", "--fsdp")
    assert (trial.code, "leave out --fsdp" in trial.err) == (2, True)


def test_fine_tuning_by_layers_reaches_the_run_and_cannot_change_in_it(
    cli: Cli, shapes: Path, tiny_run: Path, tmp_path: Path
) -> None:
    more = ("--freeze", "--unfreeze-at", "0.5", "--layer-lr", "0.1", "--patience", "3")
    found = cli("train", shapes, "--pretrained", tiny_run, *more, "--epochs", "1", "--batch-size", "8", "--run", "r")
    assert found.code == 0, found.err
    settings = json.loads((tmp_path / "r" / "settings.json").read_text(encoding="utf-8"))
    assert (settings["unfreeze_at"], settings["layer_lr"], settings["patience"]) == (0.5, 0.1, 3)
    again = cli("train", "--resume", "--run", "r", *more[1:])
    assert (again.code, "--unfreeze-at, --layer-lr, --patience cannot change it" in again.err) == (2, True)


def test_a_run_is_resumed_with_its_own_data_however_it_is_spelt_and_with_no_other(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text(json.dumps({"data": str(tmp_path / "photos")}), encoding="utf-8")
    (tmp_path / "run" / "recipe.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("cnnlab.train.run.resume_run", lambda *_, **__: Run(tmp_path, {"resumed": True}))
    for data in ("photos", "./photos/", tmp_path / "photos"):
        assert cli("train", data, "--resume", "--run", "run", "--json").json == {"resumed": True}
    for data in ("cifar10", tmp_path):
        found = cli("train", data, "--resume", "--run", "run")
        assert (found.code, "DATA cannot change it now" in found.err) == (2, True)


# -- small folders -----------------------------------------------------------------------------------------------


def test_a_folder_alone_is_trained_on_in_batches_that_fit(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    found = cli("train", shapes, "--epochs", "2", "--run", "r")
    assert found.code == 0
    assert "29 images of 3 classes: AdamW" in found.out
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert (recipe["name"], recipe["batch_size"], recipe["model"]) == ("modern/photos", 16, "airnet")


def test_a_named_recipe_has_its_batch_fitted_and_says_so(cli: Cli, shapes: Path) -> None:
    named = ("--recipe", "resnet2015/cifar10", "--model", "resnet20", "--epochs", "1", "--run", "r")
    found = cli("train", shapes, *named, "--set", "folder_pixels=16", "--json")
    assert found.code == 0
    assert "batches of 16 in place of 128: there are 29 images to train on" in found.err
    assert "not exactly what resnet2015/cifar10 says" in found.err


def test_flags_win_over_what_is_chosen(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    given = ("--model", "resnet20", "--batch-size", "4", "--lr", "0.003", "--set", "folder_pixels=16")
    assert cli("train", shapes, *given, "--epochs", "1", "--run", "r").code == 0
    recipe = json.loads((tmp_path / "r" / "recipe.json").read_text(encoding="utf-8"))
    assert (recipe["batch_size"], recipe["optimizer"]["lr"], recipe["folder_pixels"]) == (4, 0.003, 16)


def test_a_batch_of_one_image_trains_where_a_network_can_and_is_explained_where_not(cli: Cli, shapes: Path) -> None:
    one = ("--batch-size", "1", "--epochs", "0.1")
    assert cli("train", shapes, "--model", "lenet5_modern", *one, "--run", "a").code == 0
    found = cli("train", shapes, "--model", "resnet18", "--set", "folder_pixels=16", *one, "--run", "b")
    assert found.code == 2
    assert "resnet18 has batch normalisation over maps of one pixel" in found.err
    assert "give --batch-size 2 or more" in found.err


def test_a_batch_size_left_open_stays_what_was_chosen_on_a_processor(cli: Cli, shapes: Path) -> None:
    found = cli("train", shapes, "--model", "lenet5_modern", "--batch-size", "auto", "--epochs", "1", "--run", "r")
    assert found.code == 0
    assert "batch size: the recipe's 16" in found.out


def test_one_photo_of_each_class_is_trained_on_and_nothing_is_claimed(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    for kind in ("checks", "disc"):
        (tmp_path / "two" / kind).mkdir(parents=True)
        (tmp_path / "two" / kind / "a.jpg").write_bytes((shapes / kind / "00.jpg").read_bytes())
    found = cli("train", "two", "--model", "lenet5_modern", "--epochs", "1", "--run", "r")
    assert found.code == 0
    assert "there are no other images to see what it learned by" in found.out


def test_a_run_that_does_not_learn_says_so_everywhere(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    hopeless = ("--model", "lenet5_modern", "--lr", "1e-9", "--epochs", "60")
    found = cli("train", shapes, *hopeless, "--run", "r")
    assert found.code == 0
    assert "warning: it has not learned anything in " in found.out
    assert "it has not learned: the training loss is " in found.out
    assert "  try a rate found by trying: --lr auto, or cnnlab lr-find " in found.out
    result = json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"))
    assert result["learned"] is False
    assert result["warnings"][0].startswith("the training loss is ")
    assert any("--lr auto" in each for each in result["try"])
    assert "It has not learned" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_a_run_goes_on_by_itself_with_the_recipe_that_was_chosen(cli: Cli, shapes: Path) -> None:
    command = ("train", shapes, "--model", "lenet5_modern", "--epochs", "1", "--run", "r", "--resume", "auto", "--json")
    first = cli(*command).json
    assert cli(*command).json == first


def test_what_is_given_in_place_of_what_was_chosen_is_said(cli: Cli, shapes: Path) -> None:
    said = cli("train", str(shapes), *SMALL, "--run", "r").out
    assert f"as given, in place of what was chosen: batch_size=8, folder_pixels={PIXELS}\n" in said
    assert "as given" not in cli("train", str(shapes), *SMALL, "--recipe", "modern/photos", "--run", "r2").out


def test_nothing_is_tested_next_where_every_image_was_trained_on(cli: Cli, shapes: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "few" / name).mkdir(parents=True)
        shutil.copy(next(shapes.rglob("*.jpg")), tmp_path / "few" / name / f"{name}.jpg")
    found = cli("train", "few", *SMALL, "--run", "r")
    assert (found.code, "there are no other images" in found.out, "eval r" in found.out) == (0, True, False)
    assert "next:\n  tensorboard" in found.out
