"""The numbers are copied from the tutorial."""

from cnnlab.recipes.matlab2019 import CIFAR10
from cnnlab.recipes.recipe import MultiStep, PadCrop, Sgd


def test_the_recipe_is_the_tutorials() -> None:
    assert (CIFAR10.model, CIFAR10.batch_size, CIFAR10.epochs) == ("resnet_matlab", 128, 80)
    assert CIFAR10.optimizer == Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert CIFAR10.schedule == MultiStep(at_epochs=(60,), factor=0.1)
    assert PadCrop(pixels=4) in CIFAR10.augment


def test_the_test_images_are_not_used_to_choose() -> None:
    assert CIFAR10.val_images == 5_000
    assert "test images" in CIFAR10.differences[0]
