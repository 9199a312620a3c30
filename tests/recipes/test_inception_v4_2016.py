"""The numbers are copied from the paper, section 4 and Tables 2 and 4."""

from cnnlab.recipes.inception_v4_2016 import IMAGENET, IMAGENET_RESNET_V1, IMAGENET_RESNET_V2
from cnnlab.recipes.recipe import RmsProp, Step


def test_twenty_replicas_become_twenty_pieces_of_a_batch() -> None:
    assert (IMAGENET.accumulate, IMAGENET.batch_size) == (20, 20 * 32)
    assert isinstance(IMAGENET.optimizer, RmsProp)
    assert (IMAGENET.optimizer.lr, IMAGENET.optimizer.decay, IMAGENET.optimizer.eps) == (0.045, 0.9, 1.0)
    assert IMAGENET.schedule == Step(every_epochs=2, factor=0.94)


def test_the_three_networks_and_what_to_expect() -> None:
    models = [recipe.model for recipe in (IMAGENET, IMAGENET_RESNET_V1, IMAGENET_RESNET_V2)]
    assert models == ["inception_v4", "inception_resnet_v1", "inception_resnet_v2"]
    assert "17.7% and 3.8%" in IMAGENET.expected
    assert "18.8% and 4.3%" in IMAGENET_RESNET_V1.expected
    assert "17.8% and 3.7%" in IMAGENET_RESNET_V2.expected
