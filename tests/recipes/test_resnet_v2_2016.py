"""The numbers are copied from the paper, section 5 and appendix."""

from cnnlab.recipes import difference, resnet2015
from cnnlab.recipes.recipe import ConstantWarmup, MultiStep
from cnnlab.recipes.resnet_v2_2016 import CIFAR10, CIFAR10_1001, IMAGENET


def test_all_cifar_networks_warm_up_for_400_steps_at_a_tenth() -> None:
    assert CIFAR10.warmup == CIFAR10_1001.warmup == ConstantWarmup(steps=400, factor=0.1)
    assert (CIFAR10.model, CIFAR10_1001.model) == ("resnetv2_164", "resnetv2_1001")


def test_nothing_else_changes_on_cifar() -> None:
    changed = difference(resnet2015.CIFAR10, CIFAR10).keys()
    assert changed == {"name", "paper", "model", "warmup", "gmac", "expected"}


def test_imagenet_drops_at_30_and_60_epochs_and_is_tested_at_320() -> None:
    assert IMAGENET.schedule == MultiStep(at_epochs=(30, 60), factor=0.1)
    assert (IMAGENET.protocol, IMAGENET.batch_size) == ("320", 256)
    assert "unverified" in " ".join(IMAGENET.differences)
