"""The numbers are copied from the paper, sections 4 and 5, and from Caffe's solver file."""

from cnnlab.recipes.alexnet2012 import IMAGENET, IMAGENET_CAFFE
from cnnlab.recipes.recipe import CAFFE_BIASES, PcaNoise, ScaleJitter, Sgd, Step


def test_the_recipe_is_the_papers() -> None:
    assert (IMAGENET.batch_size, IMAGENET.epochs, IMAGENET.protocol) == (128, 90, "10crop")
    assert IMAGENET.optimizer == Sgd(lr=0.01, momentum=0.9, weight_decay=5e-4)
    assert PcaNoise(std=0.1, source="data") in IMAGENET.augment
    assert IMAGENET.crop == ScaleJitter(pixels=227, shorter_side=(256, 256), centre_square=True)


def test_caffe_trains_longer_on_larger_batches_without_colour_noise() -> None:
    assert (IMAGENET_CAFFE.batch_size, IMAGENET_CAFFE.steps, IMAGENET_CAFFE.epochs) == (256, 450_000, None)
    assert IMAGENET_CAFFE.schedule == Step(every_steps=100_000, factor=0.1)
    assert IMAGENET_CAFFE.multiply == (CAFFE_BIASES,)
    assert not any(isinstance(change, PcaNoise) for change in IMAGENET_CAFFE.augment)
