"""Deep Residual Learning for Image Recognition. He, Zhang, Ren, Sun 2015 (arXiv:1512.03385), section 4.2.

CIFAR-10: batches of 128, 64k steps, learning rate 0.1 divided by 10 at 32k and 48k, weight decay
1e-4, momentum 0.9, He initialisation, batch normalisation, no dropout; pad 4, random 32x32 crop,
mirror; the per-pixel mean subtracted; tested on the single original view; the schedule was chosen on
a 45k/5k split. Paper: ResNet-20 8.75% error, -32 7.51, -44 7.17, -56 6.97, -110 6.43 (6.61 +- 0.16).
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import Flip, MultiStep, PadCrop, Recipe, Sgd, WarmupUntilError

DIFFERENCES = (
    "one device in place of two, so batch normalisation sees the whole batch of 128",
    "momentum in torch's form, v <- m*v + g and w <- w - lr*v: the same as the paper's while the rate is constant",
    "trains on 45k images and keeps 5k to choose by; --final trains on all 50k, as the paper's final figures do",
)

CIFAR10 = Recipe(
    name="resnet2015/cifar10",
    paper="He et al. 2015, arXiv:1512.03385, section 4.2",
    model="resnet20",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    steps=64_000,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=MultiStep(at_steps=(32_000, 48_000), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    normalisation="pixel_mean",
    initialisation="he_fan_in",
    precision="fp32",
    expected="8.75% test error for ResNet-20 trained on all 50k (paper, Table 6)",
    differences=DIFFERENCES,
)

CIFAR10_110 = replace(
    CIFAR10,
    name="resnet2015/cifar10-110",
    model="resnet110",
    warmup=WarmupUntilError(error=0.8, factor=0.1),
    expected="6.43% test error, best of 5; mean 6.61 +- 0.16 (paper, Table 6)",
)
