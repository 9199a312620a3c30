"""Squeeze-and-excitation networks. Hu, Shen, Albanie, Sun, Wu 2017 (arXiv:1709.01507), section 6; the authors' release.

Paper: synchronous SGD with momentum 0.9, batches of 1024 on four servers, a rate of 0.6 divided by 10 every 30
epochs, 100 epochs, He initialisation, crops of random area and aspect, mirroring; tested on a centre crop of 224 from
a shorter side of 256. Table 2: SE-ResNet-50 23.29% top-1, 6.62% top-5 error, -101 22.38%, 6.07%, -152 21.57%, 5.73%;
SE-BN-Inception 24.23%, 7.14%.

The released networks were trained on one server, in batches of 256 at a rate of 0.1 and for longer, and with rotation
by 10 degrees and pixels jittered by 20: 22.37%, 6.36% for SE-ResNet-50.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import Flip, LinearWarmup, PixelJitter, RandomArea, Recipe, Rotation, Sgd, Step

IMAGENET = Recipe(
    name="senet2017/imagenet",
    paper="Hu et al. 2017, arXiv:1709.01507, section 6.1",
    model="legacy_seresnet50",
    data="imagenet",
    batch_size=1024,
    epochs=100,
    accumulate=4,
    optimizer=Sgd(lr=0.6, momentum=0.9, weight_decay=1e-4),
    schedule=Step(every_epochs=30, factor=0.1),
    crop=RandomArea(pixels=224),
    augment=(Flip(probability=0.5),),
    normalisation="imagenet",
    initialisation="he_fan_in",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=3.861,
    expected="23.29% top-1, 6.62% top-5 error for SE-ResNet-50, one centre crop (Table 2)",
    differences=(
        "one update from four batches of 256, one after the other, in place of four servers",
        "weight decay 1e-4, as ResNet: not in our notes of the paper (unverified)",
        "channels are divided by their deviation too",
    ),
)

IMAGENET_RELEASED = replace(
    IMAGENET,
    name="senet2017/imagenet-released",
    paper="the authors' released SENet models, README",
    batch_size=256,
    accumulate=1,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    augment=(Flip(probability=0.5), Rotation(degrees=10.0), PixelJitter(amount=20.0)),
    expected="22.37% top-1, 6.36% top-5 error for SE-ResNet-50, one centre crop",
    differences=(
        "the release says 'more epochs' without a number: 100 here, as in the paper",
        "weight decay 1e-4, as ResNet (unverified)",
        "channels are divided by their deviation too",
    ),
)

IMAGENET_154 = replace(
    IMAGENET,
    name="senet2017/imagenet-154",
    paper="Hu et al. 2017, arXiv:1709.01507, appendix",
    model="senet154",
    batch_size=2048,
    accumulate=64,
    optimizer=Sgd(lr=1.0, momentum=0.9, weight_decay=1e-4),
    warmup=LinearWarmup(epochs=5),
    label_smoothing=0.1,
    gmac=20.69,
    expected="18.68% top-1, 4.47% top-5 error, one centre crop; 17.28% and 3.79% with a larger one",
    differences=(
        "one update from 64 batches of 32, one after the other, in place of 64 GPUs",
        "five epochs of warm-up and label smoothing of 0.1 are ours: the paper has smoothing without a number here",
        "batch normalisation is trained to the end; the paper freezes it for the last few epochs",
        "weight decay 1e-4, as ResNet (unverified)",
    ),
)
