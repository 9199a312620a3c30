"""The recipe that is chosen where none is named: over the whole catalogue, and over folders of every size."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cnnlab.models.table import read_table
from cnnlab.recipes import fast, get_recipe, modern
from cnnlab.recipes.choose import (
    LEAST_STEPS,
    Images,
    Machine,
    NetworkCost,
    choose,
    cpu,
    fit_batch,
    fitted_batch,
    for_weights,
)
from cnnlab.recipes.recipe import AdamW, Muon, Recipe, Sgd, from_dict, to_dict
from cnnlab.train.chosen import network_cost

NETWORKS = {row.name: cost for row in read_table() if (cost := network_cost(row)) is not None}
FOLDER = Images(162, 2)  # what is left to train on of 200
TWO_CORES = cpu(2)
every_network = pytest.mark.parametrize("name", NETWORKS)


def chosen(name: str, images: Images = FOLDER, machine: Machine = TWO_CORES, minutes: float | None = None) -> Recipe:
    return choose(NETWORKS[name], images, machine, minutes, tuple(NETWORKS.values()))


def test_all_networks_but_those_of_signals_and_clips_take_photos() -> None:
    assert {row.name for row in read_table()} - set(NETWORKS) == {"resnet18_1d", "resnet18_3d"}


@every_network
def test_a_small_folder_is_learned_in_three_minutes_or_the_network_is_said_to_be_too_large(name: str) -> None:
    network, recipe = NETWORKS[name], chosen(name)
    pixels = recipe.folder_pixels
    assert recipe.model == name
    assert network.smallest_pixels <= pixels
    assert pixels == network.pixels or not network.one_size
    assert recipe.batch_size <= FOLDER.count
    assert recipe.steps is not None
    seconds = recipe.steps * TWO_CORES.step_seconds(network, pixels, recipe.batch_size)
    too_large = [reason for reason in recipe.reasons if "too large" in reason]
    if too_large:
        assert seconds > 180
        assert recipe.cpu_minutes is None
        assert "smaller networks: --model " in too_large[0]
    else:
        assert seconds <= 180
        assert recipe.steps >= LEAST_STEPS
    assert from_dict(to_dict(recipe)) == recipe


def test_which_networks_are_too_large_for_two_cores() -> None:
    too_large = {name for name in NETWORKS if any("too large" in each for each in chosen(name).reasons)}
    assert too_large >= {"wrn28_10", "resnet1202", "resnetv2_1001", "resnext29_8x64d", "resnext29_16x64d"}
    assert not too_large & {"airnet", "resnet20", "resnet152", "vgg16", "googlenet_2014", "inception_v4", "senet154"}


def test_the_smaller_networks_that_are_named_are_not_too_large_themselves() -> None:
    said = " ".join(chosen("resnet1202").reasons)
    named = [word.strip(",") for word in said.split("--model ")[1:]]
    assert named
    assert not any("too large" in " ".join(chosen(name.split(",")[0]).reasons) for name in named)


def test_more_time_makes_a_large_network_fit() -> None:
    assert not any("too large" in each for each in chosen("wrn28_10", minutes=60).reasons)


def test_more_time_takes_larger_images() -> None:
    assert chosen("vgg16", minutes=1).folder_pixels == 32
    assert chosen("vgg16", minutes=60).folder_pixels == 64


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if not network.norms])
@pytest.mark.parametrize("images", [FOLDER, Images(40_000, 10), Images(50_000, 10, published="cifar10")])
def test_without_batch_normalisation_the_rate_is_low_and_gradients_are_clipped(name: str, images: Images) -> None:
    recipe = chosen(name, images)
    assert isinstance(recipe.optimizer, AdamW)
    assert recipe.optimizer.lr < modern.PHOTOS.optimizer.lr
    assert recipe.clip is not None
    assert recipe.initialisation == "he_fan_in"
    assert recipe.data == (images.published or "photos")
    assert recipe.dropout == (0.0 if NETWORKS[name].dropout else None)


def test_a_deeper_network_without_batch_normalisation_has_a_lower_rate() -> None:
    rates = [chosen(name).optimizer.lr for name in ("lenet5_modern", "nin_cifar", "vgg16", "googlenet_2014")]
    assert rates == [6e-4, 3.3e-4, 1.9e-4, 1.4e-4]


def test_published_sets_keep_the_recipes_that_were_made_for_them() -> None:
    assert chosen("airnet", Images(50_000, 10, published="cifar10")) is fast.CIFAR10
    assert chosen("airnet", Images(50_000, 10, published="mnist")) is fast.MNIST
    assert chosen("resnet20", Images(50_000, 10, published="cifar10")) == modern.CIFAR10


def test_airnet_takes_muon_once_there_are_photos_enough() -> None:
    few, enough = chosen("airnet", Images(499, 5)), chosen("airnet", Images(1_650, 10))
    assert isinstance(few.optimizer, AdamW)
    assert isinstance(enough.optimizer, Muon)
    assert (enough.batch_size, enough.folder_pixels, enough.resolutions) == (64, 32, ())
    assert enough.epochs is not None
    assert enough.epochs * (1_650 // 64) >= 500


def test_many_photos_are_trained_on_as_fast_cifar10_is() -> None:
    recipe = chosen("airnet", Images(45_000, 10))
    assert (recipe.batch_size, recipe.epochs, recipe.resolutions) == (1024, 15, fast.CIFAR10.resolutions)


def test_sgd_is_left_to_many_photos() -> None:
    assert isinstance(chosen("resnet18", Images(2_000, 10)).optimizer, AdamW)
    assert isinstance(chosen("resnet18", Images(20_000, 10)).optimizer, Sgd)


@pytest.mark.parametrize(
    ("images", "size"),
    [
        (1, 1),
        (2, 2),
        (16, 16),
        (18, 16),
        (162, 16),
        (800, 32),
        (1_650, 64),
        (25_599, 512),
        (25_600, 1024),
        (10**6, 1024),
    ],
)
def test_a_batch_is_the_largest_power_of_2_with_25_steps_an_epoch(images: int, size: int) -> None:
    assert fitted_batch(images) == size


@pytest.mark.parametrize("images", [1, 2, 3, 17, 72, 245, 1_650])
def test_a_batch_never_has_more_images_than_there_are(images: int) -> None:
    for name in ("fast/cifar10", "fast/cifar10-96", "modern/photos", "resnet2015/cifar10-110", "alexnet2012/imagenet"):
        fitted, said = fit_batch(get_recipe(name), images)
        assert fitted.batch_size <= images
        assert (said is None) == (fitted == get_recipe(name))


@pytest.mark.parametrize(
    ("images", "said"), [(3, "batches of 3 (all images to train on)"), (40, "batches of 16 (as large")]
)
def test_how_the_batch_was_found_is_said_as_it_is(images: int, said: str) -> None:
    assert said in chosen("airnet", Images(images, 2)).reasons[0]
    assert "batches of 8 (smaller, for the sake of time)" in chosen("airnet", minutes=0.3, machine=cpu(1)).reasons[0]


def test_a_papers_recipe_that_cannot_be_exact_says_so() -> None:
    fitted, said = fit_batch(get_recipe("resnet2015/cifar10"), 72)
    assert (fitted.batch_size, fitted.optimizer.lr) == (16, pytest.approx(0.0125))
    assert said is not None
    assert said.startswith("batches of 16 in place of 128: there are 72 images to train on; the learning rate falls")
    assert said.endswith("So this is not exactly what resnet2015/cifar10 says")


def test_a_recipe_whose_batch_fits_stays_as_it_is() -> None:
    recipe = get_recipe("resnet2015/cifar10")
    assert fit_batch(recipe, 128) == (recipe, None)


def test_trained_weights_get_a_recipe_for_fine_tuning() -> None:
    assert for_weights("resnet20", 32, Images(2_000, 5)) == modern.FINETUNE
    photos = for_weights("resnet50", 224, Images(162, 2))
    assert (photos.name, photos.model, photos.batch_size) == ("modern/finetune-photos", "resnet50", 16)
    assert photos.optimizer.lr == pytest.approx(0.005)


def test_the_cost_of_a_step_grows_with_images_and_pixels() -> None:
    network = NetworkCost("n", 32, 8, False, 1_000_000, 0, 1_000, 10, True)
    machine = Machine(1e9, seconds_per_layer=0.0, seconds_per_parameter=0.0)
    assert machine.step_seconds(network, 32, 10) == pytest.approx(3 * 10 * 1e6 / 1e9)
    assert machine.step_seconds(network, 64, 10) == pytest.approx(4 * machine.step_seconds(network, 32, 10))


def test_choosing_needs_no_torch() -> None:
    code = "import sys, cnnlab.recipes.choose; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
