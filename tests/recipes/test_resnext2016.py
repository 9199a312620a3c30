"""The numbers are copied from the paper, sections 4 and 5.2; all are second-hand and said to be."""

from cnnlab.recipes.recipe import MultiStep, Sgd, Step
from cnnlab.recipes.resnext2016 import CIFAR10, IMAGENET


def test_imagenet() -> None:
    assert IMAGENET.optimizer == Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert IMAGENET.schedule == Step(every_epochs=30, factor=0.1)
    assert IMAGENET.batch_size == 256


def test_cifar() -> None:
    assert CIFAR10.schedule == MultiStep(at_epochs=(150, 225), factor=0.1)
    assert (CIFAR10.epochs, CIFAR10.optimizer.weight_decay) == (300, 5e-4)


def test_both_say_that_they_are_unverified() -> None:
    assert all("unverified" in " ".join((*recipe.differences, recipe.expected)) for recipe in (IMAGENET, CIFAR10))
