"""The numbers are copied from the paper, section 6.1 and appendix, and from the authors' release."""

from cnnlab.recipes.recipe import PixelJitter, Rotation, Step
from cnnlab.recipes.senet2017 import IMAGENET, IMAGENET_154, IMAGENET_RELEASED


def test_the_recipe_is_the_papers() -> None:
    assert (IMAGENET.batch_size, IMAGENET.epochs, IMAGENET.optimizer.lr) == (1024, 100, 0.6)
    assert IMAGENET.schedule == Step(every_epochs=30, factor=0.1)
    assert (IMAGENET.test_crop_pixels, IMAGENET.test_resize_pixels) == (224, 256)


def test_the_release_used_one_server_rotation_and_jitter() -> None:
    assert (IMAGENET_RELEASED.batch_size, IMAGENET_RELEASED.optimizer.lr) == (256, 0.1)
    assert Rotation(degrees=10.0) in IMAGENET_RELEASED.augment
    assert PixelJitter(amount=20.0) in IMAGENET_RELEASED.augment


def test_senet_154_has_large_batches_and_smoothed_labels() -> None:
    assert (IMAGENET_154.batch_size, IMAGENET_154.optimizer.lr) == (2048, 1.0)
    assert IMAGENET_154.label_smoothing > 0
