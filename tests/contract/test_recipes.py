"""One battery over every recipe of the catalogue: it resolves, it can be written down, it trains and it resumes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.data.named import NAMES, PUBLISHED
from cnnlab.data.parts import Part, Parts, part_from
from cnnlab.data.sources import load
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import MODELS, Entry
from cnnlab.models.layers import Network
from cnnlab.models.table import read_table
from cnnlab.recipes import RECIPES, Recipe, from_dict, get_recipe, to_dict
from cnnlab.recipes.recipe import Plateau, RandomArea, ScaleJitter, WarmupUntilError
from cnnlab.train.inputs import preprocess_for
from cnnlab.train.loop import Training
from cnnlab.train.record import RunFolder
from cnnlab.train.schedule import lr_factor, warmup_factor
from cnnlab.train.watch import Watch
from tests.contract.networks import CheapRandom

every_recipe = pytest.mark.parametrize("name", RECIPES)

# -- learning rates, computed by hand from the papers --------------------------------------------------------
# For each recipe the unit and ten places: a share of the whole, steps, epochs, or validations without progress.

Table = tuple[str, list[tuple[float, float]]]
FAST: Table = ("share", [
    (0.0, 0.24), (0.05, 0.228), (0.1, 0.216), (0.25, 0.18), (0.4, 0.144),
    (0.5, 0.12), (0.6, 0.096), (0.75, 0.06), (0.9, 0.024), (1.0, 0.0),
])  # fmt: skip
MODERN: Table = ("share", [
    (0.0, 0.02), (0.05, 0.065), (0.1, 0.11), (0.15, 0.155), (0.2, 0.2),
    (0.3, 0.175), (0.4, 0.15), (0.6, 0.1), (0.8, 0.05), (1.0, 0.0),
])  # fmt: skip
MODERN_IMAGENET: Table = ("epochs", [  # 0.1 * min(1, e / 5) * (1 + cos(pi e / 90)) / 2
    (0, 0.0), (1, 0.0199939083), (2.5, 0.0499048675), (5, 0.0992403877), (15, 0.0933012702),
    (30, 0.075), (45, 0.05), (60, 0.025), (80, 0.003015369), (90, 0.0),
])  # fmt: skip
FINETUNE: Table = ("share", [
    (0.0, 0.002), (0.05, 0.0065), (0.1, 0.011), (0.15, 0.0155), (0.2, 0.02),
    (0.3, 0.0175), (0.4, 0.015), (0.6, 0.01), (0.8, 0.005), (1.0, 0.0),
])  # fmt: skip
LENET: Table = ("epochs", [  # global rates 5e-4, 2e-4, 1e-4, 5e-5, 1e-5, times 4
    (0, 2e-3), (1.9, 2e-3), (2, 8e-4), (4.9, 8e-4), (5, 4e-4),
    (7.9, 4e-4), (8, 2e-4), (11.9, 2e-4), (12, 4e-5), (19.9, 4e-5),
])  # fmt: skip
LENET_CAFFE: Table = ("steps", [  # 0.01 (1 + 1e-4 i) ^ -0.75
    (0, 0.01), (1, 0.009999250066), (1000, 0.009310124446), (2000, 0.008721959495), (3000, 0.008213769018),
    (4000, 0.007769695042), (5000, 0.007377879465), (7500, 0.006572361811), (9000, 0.006179236242),
    (10_000, 0.005946035575),
])  # fmt: skip
BY_HAND: Table = ("validations", [  # the first is the best, then five without progress for each of three drops
    (0, 1e-2), (1, 1e-2), (5, 1e-2), (6, 1e-3), (10, 1e-3),
    (11, 1e-4), (15, 1e-4), (16, 1e-5), (21, 1e-5), (60, 1e-5),
])  # fmt: skip
JITTER: Table = ("validations", [(place, lr / 10) for place, lr in BY_HAND[1]])
ALEXNET_CAFFE: Table = ("steps", [
    (0, 1e-2), (99_999, 1e-2), (100_000, 1e-3), (199_999, 1e-3), (200_000, 1e-4),
    (299_999, 1e-4), (300_000, 1e-5), (399_999, 1e-5), (400_000, 1e-6), (449_999, 1e-6),
])  # fmt: skip
NIN: Table = ("steps", [
    (0, 1e-1), (1, 1e-1), (50_000, 1e-1), (99_999, 1e-1), (100_000, 1e-2),
    (110_000, 1e-2), (114_999, 1e-2), (115_000, 1e-3), (117_000, 1e-3), (119_999, 1e-3),
])  # fmt: skip
NIN_IMAGENET: Table = ("steps", [
    (0, 1e-2), (1, 1e-2), (100_000, 1e-2), (199_999, 1e-2), (200_000, 1e-3),
    (300_000, 1e-3), (399_999, 1e-3), (400_000, 1e-4), (425_000, 1e-4), (449_999, 1e-4),
])  # fmt: skip
VGG_CIFAR: Table = ("epochs", [
    (0, 1e-2), (59.9, 1e-2), (60, 1e-3), (75, 1e-3), (89.9, 1e-3),
    (90, 1e-4), (109.9, 1e-4), (110, 1e-5), (115, 1e-5), (119.9, 1e-5),
])  # fmt: skip
GOOGLENET: Table = ("epochs", [  # 0.01 * 0.96 ^ (e // 8)
    (0, 0.01), (7, 0.01), (8, 0.0096), (15, 0.0096), (16, 0.009216),
    (80, 0.00664832636), (120, 0.005420863799), (160, 0.004420024339), (200, 0.003603967169), (249, 0.002821033375),
])  # fmt: skip
GOOGLENET_BVLC: Table = ("steps", [  # 0.01 (1 - i / 2.4 M) ^ 0.5
    (0, 0.01), (240_000, 0.009486832981), (456_000, 0.009), (864_000, 0.008), (1_200_000, 0.007071067812),
    (1_536_000, 0.006), (1_800_000, 0.005), (2_016_000, 0.004), (2_376_000, 0.001), (2_400_000, 0.0),
])  # fmt: skip
BN_X5: Table = ("epochs", [  # 0.0075 * 0.96 ^ (e // (8 / 6))
    (0, 0.0075), (1, 0.0075), (4 / 3, 0.0072), (2, 0.0072), (8 / 3, 0.006912),
    (4, 0.00663552), (8, 0.005870683423), (16, 0.00459532318), (24, 0.003597025015), (48, 0.001725145195),
])  # fmt: skip
BN_X30: Table = ("epochs", [(place, lr * 6) for place, lr in BN_X5[1]])
INCEPTION: Table = ("epochs", [  # 0.045 * 0.94 ^ (e // 2)
    (0, 0.045), (1, 0.045), (2, 0.0423), (3, 0.0423), (4, 0.039762),
    (10, 0.033025681008), (20, 0.024237680134), (40, 0.013054780851), (80, 0.003787273401), (99, 0.002170087974),
])  # fmt: skip
HIGHWAY: Table = ("steps", [
    (0, 0.025), (1, 0.025), (99_999, 0.025), (100_000, 0.0025), (149_999, 0.0025),
    (150_000, 0.00025), (174_999, 0.00025), (175_000, 0.000025), (190_000, 0.000025), (199_999, 0.000025),
])  # fmt: skip
RESNET: Table = ("steps", [
    (0, 0.1), (1, 0.1), (16_000, 0.1), (31_999, 0.1), (32_000, 0.01),
    (40_000, 0.01), (47_999, 0.01), (48_000, 0.001), (56_000, 0.001), (63_999, 0.001),
])  # fmt: skip
RESNET_110: Table = ("warming up", [(place, lr / 10) for place, lr in RESNET[1]])
RESNET_IMAGENET: Table = ("validations", [
    (0, 0.1), (1, 0.1), (5, 0.1), (6, 0.01), (10, 0.01),
    (11, 0.001), (15, 0.001), (16, 0.0001), (20, 0.0001), (21, 0.00001),
])  # fmt: skip
RESNET_V2: Table = ("steps", [
    (0, 0.01), (399, 0.01), (400, 0.1), (16_000, 0.1), (31_999, 0.1),
    (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (56_000, 0.001), (63_999, 0.001),
])  # fmt: skip
EVERY_30: Table = ("epochs", [
    (0, 0.1), (15, 0.1), (29.9, 0.1), (30, 0.01), (45, 0.01),
    (59.9, 0.01), (60, 0.001), (75, 0.001), (89, 0.001), (89.9, 0.001),
])  # fmt: skip
SENET_154: Table = ("epochs", [  # 1.0, after five epochs straight up
    (0, 0.0), (1, 0.2), (2.5, 0.5), (5, 1.0), (29.9, 1.0),
    (30, 0.1), (60, 0.01), (89.9, 0.01), (90, 0.001), (99.9, 0.001),
])  # fmt: skip
WIDE: Table = ("epochs", [
    (0, 0.1), (30, 0.1), (59.9, 0.1), (60, 0.02), (119.9, 0.02),
    (120, 0.004), (159.9, 0.004), (160, 0.0008), (180, 0.0008), (199.9, 0.0008),
])  # fmt: skip
HALF_AND_THREE_QUARTERS: Table = ("epochs", [
    (0, 0.1), (75, 0.1), (149.9, 0.1), (150, 0.01), (187, 0.01),
    (224.9, 0.01), (225, 0.001), (250, 0.001), (275, 0.001), (299.9, 0.001),
])  # fmt: skip
MATLAB: Table = ("epochs", [
    (0, 0.1), (1, 0.1), (10, 0.1), (20, 0.1), (30, 0.1),
    (45, 0.1), (59.9, 0.1), (60, 0.01), (70, 0.01), (79.9, 0.01),
])  # fmt: skip

PHOTOS: Table = ("share", [
    (0, 0.00002), (0.05, 0.000515), (0.1, 0.00101), (0.15, 0.001505), (0.2, 0.002),
    (0.4, 0.0015), (0.5, 0.00125), (0.6, 0.001), (0.8, 0.0005), (1, 0.0),
])  # fmt: skip

LEARNING_RATES: dict[str, Table] = {
    "fast/cifar10": FAST,
    "fast/cifar10-95": FAST,
    "fast/cifar10-96": FAST,
    "fast/mnist": FAST,
    "modern/cifar10": MODERN,
    "modern/imagenet": MODERN_IMAGENET,
    "modern/photos": PHOTOS,
    "modern/finetune": FINETUNE,
    "modern/finetune-photos": ("share", [(place, lr / 2) for place, lr in FINETUNE[1]]),
    "lenet1998/mnist": LENET,
    "lenet1998/mnist-caffe": LENET_CAFFE,
    "alexnet2012/imagenet": BY_HAND,
    "alexnet2012/imagenet-caffe": ALEXNET_CAFFE,
    "nin2013/cifar10": NIN,
    "nin2013/imagenet": NIN_IMAGENET,
    "vgg2014/cifar10": VGG_CIFAR,
    "vgg2014/imagenet-a": BY_HAND,
    "vgg2014/imagenet-d": BY_HAND,
    "vgg2014/imagenet-d-jitter": JITTER,
    "vgg2014/imagenet-e": BY_HAND,
    "googlenet2014/imagenet": GOOGLENET,
    "googlenet2014/imagenet-bvlc": GOOGLENET_BVLC,
    "bn_inception2015/imagenet-x5": BN_X5,
    "bn_inception2015/imagenet-x30": BN_X30,
    "inception_v3_2015/imagenet": INCEPTION,
    "highway2015/cifar10": HIGHWAY,
    "highway2015/cifar10-32": HIGHWAY,
    "resnet2015/cifar10": RESNET,
    "resnet2015/cifar10-110": RESNET_110,
    "resnet2015/imagenet": RESNET_IMAGENET,
    "inception_v4_2016/imagenet": INCEPTION,
    "inception_v4_2016/imagenet-resnet-v1": INCEPTION,
    "inception_v4_2016/imagenet-resnet-v2": INCEPTION,
    "resnet_v2_2016/cifar10": RESNET_V2,
    "resnet_v2_2016/cifar10-1001": RESNET_V2,
    "resnet_v2_2016/imagenet": EVERY_30,
    "wide_resnet2016/cifar10": WIDE,
    "wide_resnet2016/cifar10-dropout": WIDE,
    "resnext2016/cifar10": HALF_AND_THREE_QUARTERS,
    "resnext2016/imagenet": EVERY_30,
    "densenet2016/cifar10": HALF_AND_THREE_QUARTERS,
    "densenet2016/cifar10-40": HALF_AND_THREE_QUARTERS,
    "densenet2016/imagenet": EVERY_30,
    "senet2017/imagenet": ("epochs", [(place, lr * 6) for place, lr in EVERY_30[1]]),
    "senet2017/imagenet-released": EVERY_30,
    "senet2017/imagenet-154": SENET_154,
    "matlab2019/cifar10": MATLAB,
}
STEPS_PER_EPOCH = 400.0


def lr_at(recipe: Recipe, unit: str, place: float) -> float:
    """The learning rate that the training loop sets, from the same two functions."""
    total = recipe.steps or (recipe.epochs or 0) * STEPS_PER_EPOCH
    step = {"share": place * total, "epochs": place * STEPS_PER_EPOCH, "validations": 0.0}.get(unit, place)
    errors = [0.5] * int(place) if unit == "validations" else []
    factor = lr_factor(recipe.schedule, step, total, steps_per_epoch=STEPS_PER_EPOCH, val_errors=errors)
    if isinstance(recipe.warmup, WarmupUntilError):
        factor *= recipe.warmup.factor if unit == "warming up" else 1.0
    elif recipe.warmup is not None:
        factor *= warmup_factor(recipe.warmup, step, steps_per_epoch=STEPS_PER_EPOCH)
    return recipe.optimizer.lr * factor


@every_recipe
def test_its_learning_rates_are_those_computed_by_hand(name: str) -> None:
    recipe = get_recipe(name)
    unit, table = LEARNING_RATES[name]
    assert len(table) == 10
    assert [(place, lr_at(recipe, unit, place)) for place, _ in table] == [
        (place, pytest.approx(lr, rel=1e-8, abs=1e-10)) for place, lr in table
    ]


def test_resnet_110_trains_at_the_whole_rate_once_it_is_warm() -> None:
    recipe = get_recipe("resnet2015/cifar10-110")
    assert [lr_at(recipe, "steps", place) for place, _ in RESNET[1]] == pytest.approx([lr for _, lr in RESNET[1]])


# -- what it says ---------------------------------------------------------------------------------------------


@every_recipe
def test_it_resolves_by_name_and_survives_json(name: str) -> None:
    recipe = get_recipe(name)
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe


@every_recipe
def test_what_it_names_exists(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe.model in MODELS
    assert recipe.data in (*NAMES, "imagenet", "photos")
    assert get_protocol(recipe.protocol).name == recipe.protocol
    assert recipe.start is None or recipe.start.model in MODELS


@every_recipe
def test_it_says_where_it_is_from_what_to_expect_and_what_it_costs(name: str) -> None:
    recipe = get_recipe(name)
    assert recipe.paper
    assert name.startswith("fast/") or recipe.expected
    assert name.startswith(("fast/", "modern/")) or recipe.differences
    macs = {row.name: row.macs for row in read_table()}[recipe.model]
    assert name.startswith("fast/") or recipe.gmac == pytest.approx(macs / 1e9, rel=0.06)


@every_recipe
def test_it_holds_out_images_to_choose_by(name: str) -> None:
    recipe = get_recipe(name)
    if recipe.data in PUBLISHED:
        held = PUBLISHED[recipe.data].val_images if recipe.val_images is None else recipe.val_images
        assert held >= 1_000
    assert not isinstance(recipe.schedule, Plateau) or recipe.val_images != 0


# -- it trains and resumes, with a small network in place of its own ---------------------------------------------


class StandIn(Network):
    """A few thousand weights with all that a recipe may speak of: biases, a norm, dropout, `fc`, auxiliary heads."""

    def __init__(self, *, num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes, self.in_channels, self.aux_heads = num_classes, in_channels, True
        self.conv = nn.Conv2d(in_channels, 8, kernel_size=3, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, kernel_size=1)
        self.dropout = nn.Dropout(dropout)
        self.aux = nn.Linear(8, num_classes)
        self.fc = nn.Linear(8, num_classes)

    @property
    def classifier(self) -> nn.Module:
        return self.fc

    def features(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.conv2(F.relu(self.bn(self.conv(images))))
        return {"maps": maps, "pooled": maps.mean(dim=(2, 3))}

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.dropout(self.features(images)["pooled"]))

    def forward_with_aux(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pooled = self.features(images)["pooled"]
        return self.fc(self.dropout(pooled)), {"aux": self.aux(pooled)}


IMAGES = {"cifar10": (3, 32), "mnist": (1, 28), "photos": (3, 32)}
STEPS = 20


def made_data(recipe: Recipe, shapes: Path, train: int = 24) -> Parts:
    """Photos on disk, or random images of the shape of the recipe's data set."""
    if recipe.crop is not None:
        return load(shapes, photos=True)
    channels, side = IMAGES[recipe.data]
    side = 8 if recipe.normalisation == "gcn_zca" else side  # the whitening of 3x32x32 is a matrix of 9 million
    draw = np.random.default_rng(0)
    sizes = (train, 4, 4)
    parts = [part_from(draw.integers(0, 256, (n, channels, side, side), np.uint8), np.arange(n) % 10) for n in sizes]
    return Parts("made", *parts, tuple("abcdefghij"), "made", "")


def small(recipe: Recipe, batch_size: int = 8) -> Recipe:
    """The recipe for few small images: batches of 8, squares of 16 pixels, no pieces of a batch but two."""
    crop = recipe.crop
    if isinstance(crop, RandomArea):
        crop = replace(crop, pixels=16)
    elif isinstance(crop, ScaleJitter):
        crop = replace(crop, pixels=16, shorter_side=(18, 20))
    return replace(
        recipe,
        batch_size=batch_size,
        accumulate=min(2, recipe.accumulate),
        cpu_minutes=None,
        multiply=tuple(
            replace(each, parameters=each.parameters.replace("classifier.", "fc.")) for each in recipe.multiply
        ),
        crop=crop,
        test_resize_pixels=18 if crop else None,
        test_crop_pixels=16 if crop else None,
    )


def training_of(recipe: Recipe, parts: Parts, run: RunFolder, steps: int = STEPS) -> Training:
    """A training of `steps` steps, over which the recipe's schedule stretches."""
    return Training(
        recipe,
        parts,
        preprocess_for(recipe, parts),
        run,
        seed=0,
        device=torch.device("cpu"),
        minutes=None,
        epochs=steps / (len(parts.train) // recipe.batch_size),
        compiled=False,
        save_seconds=60,
        watch=Watch(),
    )


def weights(training: Training) -> dict[str, Tensor]:
    average = {} if training.average is None else training.average.state_dict()
    return {**training.network.state_dict(), **{f"average.{name}": value for name, value in average.items()}}


@every_recipe
def test_it_takes_twenty_steps_and_resumes_bit_equal(
    name: str, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "stand_in", Entry(StandIn, 2026, "none", 32))
    recipe = small(get_recipe(name))
    recipe = recipe if name.startswith("fast/") else replace(recipe, model="stand_in")
    parts = made_data(recipe, shapes)

    with RunFolder(tmp_path / "whole", resume=False) as run:
        whole = training_of(recipe, parts, run)
        before = {key: value.clone() for key, value in whole.network.named_parameters()}
        for _ in range(STEPS):
            whole.step()
    assert whole.clock.done
    assert all(math.isfinite(record["loss"]) for record in run.records())
    after = dict(whole.network.named_parameters())
    still = {key for key, value in after.items() if value.requires_grad and torch.equal(value, before[key])}
    assert still <= ({"aux.weight", "aux.bias"} if not recipe.aux_weight else set())
    assert ("loss_aux" in run.records()[-2]) == bool(recipe.aux_weight)

    with RunFolder(tmp_path / "stopped", resume=False) as run:
        stopped = training_of(recipe, parts, run)
        for _ in range(7):
            stopped.step()
        stopped.save()
        run.write_json("recipe.json", {})
    with RunFolder(tmp_path / "stopped", resume=True) as run:
        resumed = training_of(recipe, parts, run)
        resumed.restore("last")
        while not resumed.clock.done:
            resumed.step()
    assert resumed.clock.step == STEPS
    expected = weights(whole)
    assert weights(resumed).keys() == expected.keys()
    assert [key for key, value in weights(resumed).items() if not torch.equal(value, expected[key])] == []


@pytest.mark.slow
@every_recipe
def test_its_own_network_takes_two_steps(name: str, shapes: Path, tmp_path: Path) -> None:
    recipe = get_recipe(name)
    recipe = replace(recipe, batch_size=2, accumulate=1, cpu_minutes=None)
    parts = made_data(recipe, shapes, train=4)
    if isinstance(parts.train, Part):
        assert len(parts.train) == 4
    with RunFolder(tmp_path / "run", resume=False) as run:
        with CheapRandom():
            training = training_of(recipe, parts, run, steps=2)
        given = [id(each) for one in training.optimizers for group in one.param_groups for each in group["params"]]
        assert sorted(given) == sorted(id(each) for each in training.network.parameters() if each.requires_grad)
        training.step()
        training.step()
    assert all(math.isfinite(record["loss"]) for record in run.records())
