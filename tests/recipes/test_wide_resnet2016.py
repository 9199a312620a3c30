"""The numbers are copied from the paper, section 3."""

from cnnlab.recipes.recipe import MultiStep, Sgd
from cnnlab.recipes.wide_resnet2016 import CIFAR10, CIFAR10_DROPOUT


def test_the_recipe_is_the_papers() -> None:
    assert (CIFAR10.model, CIFAR10.batch_size, CIFAR10.epochs) == ("wrn28_10", 128, 200)
    assert CIFAR10.optimizer == Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    assert CIFAR10.schedule == MultiStep(at_epochs=(60, 120, 160), factor=0.2)


def test_the_second_variant_has_dropout_between_its_convolutions() -> None:
    assert (CIFAR10.dropout, CIFAR10_DROPOUT.dropout) == (None, 0.3)
