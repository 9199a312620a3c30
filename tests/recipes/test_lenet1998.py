"""The numbers are copied from the paper and from Caffe's solver file."""

from cnnlab.recipes.lenet1998 import CAFFE_MNIST, MNIST
from cnnlab.recipes.recipe import Inverse, MaximumAPosteriori, Multiply, Sgd


def test_twenty_passes_of_the_1998_network_with_its_own_loss() -> None:
    assert (MNIST.model, MNIST.epochs, MNIST.pad_pixels) == ("lenet5", 20, 2)
    assert isinstance(MNIST.loss, MaximumAPosteriori)


def test_what_is_not_the_papers_is_said() -> None:
    told = " ".join(MNIST.differences)
    assert "Levenberg-Marquardt" in told
    assert "unverified" in told


def test_caffes_solver() -> None:
    assert (CAFFE_MNIST.batch_size, CAFFE_MNIST.steps) == (64, 10_000)
    assert CAFFE_MNIST.optimizer == Sgd(lr=0.01, momentum=0.9, weight_decay=5e-4)
    assert CAFFE_MNIST.schedule == Inverse(gamma=1e-4, power=0.75)
    assert CAFFE_MNIST.multiply == (Multiply(parameters="*bias", lr=2.0),)  # decay_mult is not in the file
