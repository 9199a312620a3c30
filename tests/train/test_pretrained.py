"""Starting from trained weights: which source is meant, what is loaded, and what the network is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cnnlab.data import load
from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.official_weights import find_weights
from cnnlab.models.weight_files import Which
from cnnlab.recipes import get_recipe, with_settings
from cnnlab.recipes.recipe import CopyLayers
from cnnlab.train import pretrained
from cnnlab.train.pretrained import (
    OFFICIAL,
    Source,
    find_source,
    load_pretrained,
    warn_of_seen,
    warn_of_seen_photos,
    with_options_of,
)
from cnnlab.train.run import Settings, resume_run, train_run
from cnnlab.types import Preprocess
from tests.conftest import CLASSES, PIXELS
from tests.train.training import Said

FINETUNE = replace(get_recipe("modern/finetune"), epochs=1, batch_size=8, folder_pixels=PIXELS, resolutions=())


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A file of weights of a ResNet-20 with seven classes."""
    torch.manual_seed(1)
    path = tmp_path / "digits.safetensors"
    save_file(create_model("resnet20", num_classes=7).state_dict(), path)
    return path


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def test_a_run_says_what_it_holds(tiny_run: Path) -> None:
    source = find_source(str(tiny_run))
    assert (source.model, source.class_names) == ("resnet20", CLASSES)
    assert source.preprocess is not None
    assert source.preprocess.crop_pixels == PIXELS


def test_a_file_says_nothing_but_its_weights(digits: Path) -> None:
    assert find_source(str(digits)) == Source(str(digits), digits)


def test_a_published_network_is_meant_by_its_name_or_by_no_value_at_all() -> None:
    assert find_source("resnet18").model == "resnet18"
    assert find_source(OFFICIAL, "resnet18") == find_source("resnet18")
    with pytest.raises(UsageError, match="--model resnet18"):
        find_source(OFFICIAL)


def test_googles_range_is_said_by_the_preprocessing() -> None:
    preprocess = find_source("inception_v3").preprocess
    assert preprocess is not None
    assert (preprocess.mean, preprocess.std) == ((0.5,) * 3, (0.5,) * 3)


def test_a_name_that_is_nothing_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"neither a run folder .* nor a file .*resnet18"):
        find_source("resnet_18")
    with pytest.raises(UsageError, match="holds no trained network"):
        find_source(str(tmp_path))


def test_with_as_many_classes_all_of_a_file_is_loaded(digits: Path) -> None:
    network = create_model("resnet20", num_classes=7)
    said = load_pretrained(network, "resnet20", find_source(str(digits)), [str(n) for n in range(7)]).said
    assert said.startswith(f"starts from the weights of {digits}; the file does not say how its images were normalised")
    assert "; the file may as well be plain20 (no shortcuts) or " in said
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in weights_of(digits).items())


def test_where_in_a_file_the_weights_were_found_is_said(digits: Path, tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in weights_of(digits).items()}
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"net": state, "epoch": 3, "optimizer": {"state": {2**47: {"m": torch.zeros(3)}}}}, path)
    network = create_model("resnet20", num_classes=7)
    said = load_pretrained(network, "resnet20", find_source(str(path)), [str(number) for number in range(7)]).said
    assert said.startswith(f"starts from the weights of {path}; ")
    assert "; taken from 'net'; names without 'module.'" in said


@pytest.mark.parametrize("which", [Which("teacher"), Which(ema=True)])
def test_of_several_weights_in_a_file_those_that_are_asked_for_start(
    digits: Path, tmp_path: Path, which: Which
) -> None:
    state = weights_of(digits)
    name = which.key or "state_dict_ema"
    path = tmp_path / "several.ckpt"
    torch.save({"state_dict": {key: each * 0 for key, each in state.items()}, name: state}, path)
    network = create_model("resnet20", num_classes=7)
    source = find_source(str(path), "resnet20", which)
    said = load_pretrained(network, "resnet20", source, [str(number) for number in range(7)]).said
    assert f"taken from {name!r}" in said
    assert torch.equal(network.state_dict()["conv1.weight"], state["conv1.weight"])


def test_a_run_has_not_several_weights(tiny_run: Path) -> None:
    with pytest.raises(UsageError, match=r"--key and --ema choose among the weights in a file"):
        find_source(str(tiny_run), "resnet20", Which("teacher"))


def test_with_other_classes_the_last_layer_stays_as_it_was(digits: Path) -> None:
    network = create_model("resnet20", num_classes=4)
    head = network.state_dict()["fc.weight"].clone()
    said = load_pretrained(network, "resnet20", find_source(str(digits)), list("abcd"))
    assert said.said.startswith(f"starts from the weights of {digits}, all but fc, which starts anew for the 4 classes")
    assert not said.whole
    assert torch.equal(network.state_dict()["fc.weight"], head)
    assert torch.equal(network.state_dict()["conv1.weight"], weights_of(digits)["conv1.weight"])


def test_as_many_but_other_classes_of_a_run_start_the_last_layer_anew(digits: Path) -> None:
    source = Source("a run", digits, "resnet20", class_names=tuple("abcdefg"))
    assert "all but fc" in load_pretrained(create_model("resnet20", num_classes=7), "resnet20", source, "gfedcba").said
    assert "all but" not in load_pretrained(create_model("resnet20", num_classes=7), "resnet20", source, "abcdefg").said


def test_a_file_of_another_network_is_refused_as_it_is(digits: Path) -> None:
    with pytest.raises(DataError, match="does not fit"):
        load_pretrained(create_model("resnet32"), "resnet32", find_source(str(digits)), "ab")


def test_a_run_of_another_network_is_refused_with_what_to_type(digits: Path) -> None:
    source = Source("runs/a", digits, "resnet20", class_names=("a", "b"))
    with pytest.raises(UsageError, match="holds a resnet20, and this run trains a plain20; add --model resnet20"):
        load_pretrained(create_model("plain20"), "plain20", source, "ab")


def test_layers_of_another_network_are_copied_where_the_recipe_names_them(digits: Path) -> None:
    copy = CopyLayers(model="resnet20", layers=(("conv1", "conv1"), ("layer1.4.conv2", "layer1.1.conv2"), ("fc", "fc")))
    source = Source("runs/a", digits, "resnet20", class_names=tuple("abcdefg"))
    network = create_model("resnet32", num_classes=4)
    said = load_pretrained(network, "resnet32", source, "abcd", copy).said
    assert said == (
        "2 layers start as those of the resnet20 in runs/a: conv1, layer1.4.conv2; fc starts anew, for another "
        "number of classes"
    )
    assert torch.equal(network.state_dict()["layer1.4.conv2.weight"], weights_of(digits)["layer1.1.conv2.weight"])


def test_published_weights_are_fetched_when_they_are_loaded(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "fetch_weights", lambda weights: {"resnet20-12fca82f.th": digits}[weights.filename])
    network = create_model("resnet20", num_classes=7)
    load_pretrained(network, "resnet20", find_source("resnet20"), "abcdefg")
    assert torch.equal(network.state_dict()["conv1.weight"], weights_of(digits)["conv1.weight"])


def test_a_run_starts_from_another_sees_as_it_did_and_resumes_without_it(
    shapes: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    old = Path(shutil.copytree(tiny_run, tmp_path / "old"))
    watch = Said()
    settings = Settings(str(shapes), device="cpu", pretrained=str(old), freeze="all but the classifier")
    recipe = replace(FINETUNE, normalisation="unit")
    run = train_run(recipe, settings, tmp_path / "new", watch=watch)
    assert any(
        line.startswith(f"starts from the weights of {old}; images are normalised as there") for line in watch.lines
    )
    (looked,) = [line for line in watch.lines if line.startswith("before the first step: validation accuracy ")]
    assert "% of " in looked
    before, after = weights_of(old / "model.safetensors"), weights_of(run.folder / "model.safetensors")
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved
    assert set(moved) <= {"fc.weight", "fc.bias"}  # not even a running statistic of the rest

    first = run.result
    shutil.rmtree(old)
    (run.folder / "result.json").unlink()
    again = resume_run(run.folder)
    assert again.result["test"]["top1"] == first["test"]["top1"]
    assert weights_of(run.folder / "model.safetensors").keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in weights_of(run.folder / "model.safetensors").items())


def test_a_preprocessing_keeps_the_size_of_its_own_images() -> None:
    preprocess = find_source("resnet18").preprocess
    assert isinstance(preprocess, Preprocess)
    assert preprocess.crop_pixels == 224


def test_a_run_with_options_of_its_own_is_taken_as_it_is(tmp_path: Path, shapes: Path) -> None:
    narrow = with_settings(
        get_recipe("modern/finetune"),
        ["model=resnet_matlab", 'model_options={"width": 4, "units": 1}', f"folder_pixels={PIXELS}", "epochs=1"],
    )
    settings = Settings(str(shapes), device="cpu")
    first = train_run(replace(narrow, batch_size=8), settings, tmp_path / "first")
    plain = replace(narrow, batch_size=8, model_options={})
    assert with_options_of(plain, None) == plain
    second = train_run(plain, replace(settings, pretrained=str(first.folder)), tmp_path / "second")
    assert second.result["parameters"] == first.result["parameters"]
    assert with_options_of(plain, str(first.folder)).model_options == {"width": 4, "units": 1}
    assert with_options_of(replace(plain, model="resnet20"), str(first.folder)).model_options == {}


def test_a_file_s_options_are_found_from_its_shapes(tmp_path: Path) -> None:
    path = tmp_path / "b.pth"
    torch.save(create_model("resnet20", shortcut="B", num_classes=7).state_dict(), path)
    assert find_source(str(path), "resnet20").options == {"shortcut": "B"}
    assert find_source(str(path), "resnet32").options == {}


def test_a_published_file_is_known_by_its_sum(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    akamaster = find_weights("resnet20")
    monkeypatch.setattr(pretrained, "find_by_sha256", lambda digest: akamaster if len(digest) == 64 else None)
    source = find_source(str(digits))
    assert (source.name, source.path, source.model) == (str(digits), digits, "resnet20")
    assert source.preprocess == akamaster.preprocess
    named = digits.with_name(akamaster.filename)
    named.write_bytes(digits.read_bytes())
    monkeypatch.setattr(pretrained, "find_by_sha256", lambda digest: None)
    assert find_source(str(named)).model is None, "a name proves nothing"


def test_two_published_files_of_one_network_are_told_apart() -> None:
    source = find_source("cifar10_resnet20-4118986f.pt")
    assert (source.name, source.model, source.options) == (
        "cifar10_resnet20-4118986f.pt",
        "resnet20",
        {"shortcut": "B"},
    )


def test_the_first_layer_is_adapted_to_grey_images(digits: Path) -> None:
    network = create_model("resnet20", num_classes=7, in_channels=1)
    said = load_pretrained(network, "resnet20", find_source(str(digits)), [str(n) for n in range(7)])
    assert "the first layer, conv1, is adapted: its 3 input channels are summed to 1" in said.said
    assert said.whole


def test_validation_images_that_were_seen_are_warned_of(digits: Path) -> None:
    published = find_source("resnet20")
    assert "too high" in str(warn_of_seen(published, "cifar10", published.class_names or ()))
    assert warn_of_seen(published, "photos/", ("cat", "dog")) is None
    assert "if the file was trained on all" in str(warn_of_seen(find_source(str(digits)), "cifar10", ()))
    assert warn_of_seen(find_source(str(digits)), "photos/", ("cat", "dog")) is None


def test_photos_held_out_now_that_a_run_trained_on_are_counted(tiny_run: Path, shapes: Path, digits: Path) -> None:
    source = find_source(str(tiny_run))
    assert warn_of_seen_photos(source, load(str(shapes), photos=True)) is None  # divided as that run divided them
    swapped = load(str(shapes), photos=True)
    swapped = replace(swapped, val=swapped.train, test=swapped.val)
    count = len(swapped.val)
    assert warn_of_seen_photos(source, swapped) == (
        f"{count} of {count} validation images were trained on by {tiny_run}, so that accuracy on them will be "
        f"too high; to divide the images as it did: --manifest {tiny_run}/division.csv"
    )
    assert warn_of_seen_photos(find_source(str(digits)), swapped) is None
