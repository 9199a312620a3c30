"""The numbers are copied from the authors' Caffe files."""

from cnnlab.recipes.highway2015 import CIFAR10, CIFAR10_32
from cnnlab.recipes.recipe import CAFFE_BIASES, Multiply, MultiStep, PadCrop, Sgd


def test_the_recipe_is_the_authors() -> None:
    assert (CIFAR10.model, CIFAR10.batch_size, CIFAR10.steps) == ("highway19", 100, 200_000)
    assert CIFAR10.optimizer == Sgd(lr=0.025, momentum=0.9, nesterov=True, weight_decay=1e-3)
    assert CIFAR10.schedule == MultiStep(at_steps=(100_000, 150_000, 175_000), factor=0.1)
    assert PadCrop(pixels=8) in CIFAR10.augment


def test_the_last_layer_decays_ten_times_as_fast_and_biases_not_at_all() -> None:
    assert CIFAR10.multiply == (CAFFE_BIASES, Multiply(parameters="fc.weight", decay=10.0))


def test_the_widths_of_the_deeper_network_are_said_to_be_ours() -> None:
    assert CIFAR10_32.model == "highway32"
    assert "ours" in CIFAR10_32.differences[0]
