"""Section 4.2.1 as a difference: nothing but what the paper lists may change against GoogLeNet's recipe."""

from cnnlab.recipes import difference
from cnnlab.recipes.bn_inception2015 import CHANGES, IMAGENET_X5, IMAGENET_X30
from cnnlab.recipes.googlenet2014 import IMAGENET as GOOGLENET
from cnnlab.recipes.recipe import Photometric, Sgd, Step


def test_the_rate_is_raised_and_the_decay_divided_by_five() -> None:
    assert GOOGLENET.optimizer.weight_decay == 2e-4
    assert IMAGENET_X5.optimizer == Sgd(lr=0.0075, momentum=0.9, weight_decay=2e-4 / 5)
    assert IMAGENET_X30.optimizer == Sgd(lr=0.045, momentum=0.9, weight_decay=2e-4 / 5)
    assert (IMAGENET_X5.steps, IMAGENET_X30.steps) == (2_100_000, 6_000_000)


def test_the_rate_falls_six_times_faster() -> None:
    slow, fast = GOOGLENET.schedule, IMAGENET_X5.schedule
    assert isinstance(slow, Step)
    assert isinstance(fast, Step)
    assert (slow.every_epochs, slow.factor) == (8, fast.factor)
    assert fast.every_epochs == 8 / 6


def test_distortions_are_weaker() -> None:
    strong, weak = (
        next(change for change in recipe.augment if isinstance(change, Photometric))
        for recipe in (GOOGLENET, IMAGENET_X5)
    )
    assert weak.brightness < strong.brightness
    assert weak.contrast < strong.contrast
    assert weak.saturation < strong.saturation


def test_nothing_else_changes() -> None:
    told = {"name", "paper", "gmac", "expected", "differences", "initialisation"}
    assert difference(GOOGLENET, IMAGENET_X5).keys() == CHANGES.keys() | told
