"""The recipe for a folder, from the folder itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.models.catalog import create_model
from cnnlab.models.table import read_table
from cnnlab.recipes import fast, modern
from cnnlab.recipes.recipe import AdamW
from cnnlab.train.chosen import machine_of, network_cost, network_of_weights, recipe_for, recipe_for_settings
from cnnlab.train.run import Settings


def test_a_folder_is_counted_as_it_will_be_divided(shapes: Path) -> None:
    recipe = recipe_for(str(shapes), device="cpu")
    assert (recipe.name, recipe.model, recipe.batch_size) == ("modern/photos", "airnet", 16)
    assert recipe.reasons[0].startswith("29 images of 3 classes: AdamW")  # of 36, with 4 to test and 3 to validate


def test_a_published_set_is_not_loaded() -> None:
    assert recipe_for("cifar10") is fast.CIFAR10
    assert recipe_for("Fashion-MNIST") is fast.CIFAR10
    assert recipe_for("mnist") is fast.MNIST
    assert recipe_for("cifar10", "resnet20") == modern.CIFAR10


def test_a_network_without_batch_normalisation_gets_another_recipe_on_cifar10_too() -> None:
    assert isinstance(recipe_for("cifar10", "nin_cifar").optimizer, AdamW)


def test_time_decides(shapes: Path) -> None:
    pixels = [recipe_for(str(shapes), "vgg16", minutes=minutes, device="cpu").folder_pixels for minutes in (1, 600)]
    assert pixels == [32, 64]


def test_weights_to_start_from_decide(tiny_run: Path, shapes: Path) -> None:
    assert network_of_weights(str(tiny_run), None, None) == ("resnet20", 16)
    recipe = recipe_for(str(shapes), "resnet20", pretrained_pixels=16)
    assert (recipe.name, recipe.batch_size) == ("modern/finetune", 16)
    settings = Settings(data=str(shapes), pretrained=str(tiny_run), device="cpu")
    assert recipe_for_settings(settings).folder_pixels == 16


def test_the_network_of_a_recipe_is_that_of_the_weights_named_without_one() -> None:
    assert network_of_weights(None, "resnet18", None) == ("resnet18", None)


def test_a_file_of_weights_decides_by_its_entries_where_only_one_network_has_them(shapes: Path, tmp_path: Path) -> None:
    for name, options in (("resnet20", {"shortcut": "B"}), ("resnet32", {})):
        save_file(create_model(name, num_classes=3, **options).state_dict(), tmp_path / f"{name}.safetensors")
    path = str(tmp_path / "resnet20.safetensors")
    assert network_of_weights(path, None, None) == ("resnet20", 32)
    settings = Settings(data=str(shapes), pretrained=path, device="cpu")
    assert recipe_for_settings(settings).model == "resnet20"
    with pytest.raises(UsageError, match=r"fits 2 networks.*--model resnet32 \(.*--model plain32"):
        network_of_weights(str(tmp_path / "resnet32.safetensors"), None, None)
    assert network_of_weights(str(tmp_path / "resnet32.safetensors"), "plain32", None) == ("plain32", 32)


def test_what_cannot_be_trained_on_is_refused(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="resnet18"):
        recipe_for(str(shapes), "resnet1")
    with pytest.raises(UsageError, match="resnet18_1d takes no photos"):
        recipe_for(str(shapes), "resnet18_1d")
    with pytest.raises(DataError, match="there is no folder"):
        recipe_for(str(tmp_path / "nowhere"))


def test_a_row_of_the_catalogue_becomes_a_cost() -> None:
    rows = {row.name: row for row in read_table()}
    vgg = network_cost(rows["vgg16"])
    assert vgg is not None
    assert (vgg.pixels, vgg.smallest_pixels, vgg.one_size, vgg.norms) == (224, 32, False, False)
    assert vgg.macs_at(112) == pytest.approx(vgg.linear_macs + (vgg.macs - vgg.linear_macs) / 4)
    assert network_cost(rows["resnet18_3d"]) is None


def test_a_processor_is_as_fast_as_its_cores() -> None:
    assert machine_of("cpu").is_cpu
    assert machine_of("cpu").macs_per_second > 0
