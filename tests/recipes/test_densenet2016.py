"""The numbers are copied from the paper, section 4.2."""

from cnnlab.recipes.densenet2016 import CIFAR10, CIFAR10_40, IMAGENET
from cnnlab.recipes.recipe import MultiStep, Sgd


def test_cifar_drops_at_half_and_three_quarters() -> None:
    assert (CIFAR10.batch_size, CIFAR10.epochs) == (64, 300)
    assert CIFAR10.optimizer == Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    assert CIFAR10.schedule == MultiStep(at_epochs=(150, 225), factor=0.1)
    assert (CIFAR10.model, CIFAR10_40.model) == ("densenet_bc100_12", "densenet40_12")


def test_imagenet_takes_90_epochs() -> None:
    assert (IMAGENET.batch_size, IMAGENET.epochs) == (256, 90)
    assert IMAGENET.schedule == MultiStep(at_epochs=(30, 60), factor=0.1)
