"""The numbers are copied from the paper, section 3.1; the layers are looked up in the networks themselves."""

import pytest

from cnnlab.models.catalog import create_model
from cnnlab.recipes.recipe import PcaNoise, Plateau, ScaleJitter, Sgd
from cnnlab.recipes.vgg2014 import CIFAR10, IMAGENET_A, IMAGENET_D, IMAGENET_D_JITTER, IMAGENET_E


def test_the_recipe_is_the_papers() -> None:
    assert (IMAGENET_A.batch_size, IMAGENET_A.steps, IMAGENET_A.protocol) == (256, 370_000, "dense")
    assert IMAGENET_A.optimizer == Sgd(lr=1e-2, momentum=0.9, weight_decay=5e-4)
    assert isinstance(IMAGENET_A.schedule, Plateau)
    assert (IMAGENET_A.schedule.factor, IMAGENET_A.schedule.drops) == (0.1, 3)
    assert PcaNoise(std=0.1, source="published") in IMAGENET_A.augment


def test_the_jittered_net_sees_256_to_512_and_is_tested_at_three_scales() -> None:
    assert IMAGENET_D_JITTER.crop == ScaleJitter(pixels=224, shorter_side=(256, 512))
    assert (IMAGENET_D_JITTER.protocol, IMAGENET_D_JITTER.test_resize_pixels) == ("multiscale", 384)
    assert IMAGENET_D_JITTER.optimizer.lr == 1e-3


@pytest.mark.parametrize("name", ["vgg13", "vgg16_c", "vgg16", "vgg19"])
def test_deeper_nets_take_as_first_four_convolutions_and_three_linear_layers(name: str) -> None:
    import torch

    copy = IMAGENET_D.start
    assert copy is not None
    assert copy == IMAGENET_E.start
    assert copy.model == "vgg11"
    with torch.device("meta"):
        ours, theirs = create_model(name), create_model("vgg11")
    shapes = [ours.get_submodule(here).weight.shape for here, _ in copy.layers]
    assert shapes == [theirs.get_submodule(there).weight.shape for _, there in copy.layers]
    first_four = [there for _, there in copy.layers][:4]
    convolutions = [key for key, module in theirs.named_modules() if isinstance(module, torch.nn.Conv2d)]
    assert first_four == convolutions[:4]
    linear = [key for key, module in theirs.named_modules() if isinstance(module, torch.nn.Linear)]
    assert [there for _, there in copy.layers][4:] == linear


def test_cifar_is_said_to_be_ours() -> None:
    assert CIFAR10.model == "vgg11_cifar"
    assert "not in the paper" in CIFAR10.paper
