"""The numbers are copied from the paper, section 6, and from BVLC's solver file."""

from cnnlab.recipes.googlenet2014 import IMAGENET, IMAGENET_BVLC
from cnnlab.recipes.recipe import CAFFE_BIASES, Polyak, Polynomial, RandomArea, Sgd, Step


def test_the_recipe_is_the_papers() -> None:
    assert IMAGENET.schedule == Step(every_epochs=8, factor=0.96)
    assert (IMAGENET.aux_weight, IMAGENET.protocol) == (0.3, "144crop")
    assert isinstance(IMAGENET.average, Polyak)
    crop = IMAGENET.crop
    assert isinstance(crop, RandomArea)
    assert (crop.area, crop.aspect) == ((0.08, 1.0), (3 / 4, 4 / 3))
    assert sorted(crop.interpolations) == ["area", "bicubic", "bilinear", "nearest"]


def test_asynchronous_sgd_is_said_to_be_replaced() -> None:
    assert "synchronous SGD on one machine in place of asynchronous" in IMAGENET.differences[0]


def test_bvlcs_quick_solver() -> None:
    assert (IMAGENET_BVLC.batch_size, IMAGENET_BVLC.steps, IMAGENET_BVLC.average) == (32, 2_400_000, None)
    assert IMAGENET_BVLC.optimizer == Sgd(lr=0.01, momentum=0.9, weight_decay=2e-4)
    assert IMAGENET_BVLC.schedule == Polynomial(power=0.5)
    assert IMAGENET_BVLC.multiply == (CAFFE_BIASES,)
