"""The numbers are copied from ports of the authors' files for Caffe, and from its model zoo."""

import pytest
import torch

from cnnlab.models import create_model
from cnnlab.recipes.nin2013 import CIFAR10, IMAGENET
from cnnlab.recipes.recipe import MultiStep, Sgd, Step
from cnnlab.train.optim import build_optimizers


def test_the_authors_numbers() -> None:
    assert (CIFAR10.model, CIFAR10.batch_size) == ("nin_cifar", 128)
    assert CIFAR10.optimizer == Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert (CIFAR10.steps, CIFAR10.schedule) == (120_000, MultiStep(at_steps=(100_000, 115_000), factor=0.1))
    assert CIFAR10.initialisation == "own"  # N(0, 0.05)
    assert "unverified" in " ".join(CIFAR10.differences)


def test_the_rates_of_the_authors_network() -> None:
    with torch.device("meta"):
        network = create_model("nin_cifar")
    (sgd,) = build_optimizers(CIFAR10.optimizer, network, decay_norms_and_biases=True, multiply=CIFAR10.multiply)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    rates = {
        names[id(each)]: (group["lr"], group["weight_decay"]) for group in sgd.param_groups for each in group["params"]
    }
    assert rates["mlpconv.0.conv.weight"] == (0.1, 1e-4)
    assert rates["mlpconv.2.cccp.0.bias"] == (0.2, 0.0)
    assert rates["classifier.cccp.weight"] == pytest.approx((0.01, 1e-4))
    assert rates["classifier.cccp.bias"] == pytest.approx((0.01, 0.0))


def test_caffes_model_zoo() -> None:
    assert (IMAGENET.batch_size, IMAGENET.steps) == (64, 450_000)
    assert IMAGENET.optimizer == Sgd(lr=0.01, momentum=0.9, weight_decay=5e-4)
    assert IMAGENET.schedule == Step(every_steps=200_000, factor=0.1)
