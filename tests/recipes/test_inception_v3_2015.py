"""The numbers are copied from the paper, sections 7 and 8."""

from cnnlab.recipes.inception_v3_2015 import IMAGENET
from cnnlab.recipes.recipe import ClipNorm, Ema, RmsProp, Step


def test_the_recipe_is_the_papers() -> None:
    assert (IMAGENET.batch_size, IMAGENET.accumulate, IMAGENET.epochs) == (50 * 32, 50, 100)
    assert isinstance(IMAGENET.optimizer, RmsProp)
    assert (IMAGENET.optimizer.lr, IMAGENET.optimizer.decay, IMAGENET.optimizer.eps) == (0.045, 0.9, 1.0)
    assert IMAGENET.schedule == Step(every_epochs=2, factor=0.94)
    assert IMAGENET.clip == ClipNorm(norm=2.0)
    assert IMAGENET.label_smoothing == 0.1
    assert isinstance(IMAGENET.average, Ema)


def test_synchronous_and_unverified_parts_are_said() -> None:
    told = " ".join(IMAGENET.differences)
    assert "synchronous" in told
    assert "unverified" in told
