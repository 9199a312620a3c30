"""Deep Residual Learning for Image Recognition. He, Zhang, Ren, Sun 2015 (arXiv:1512.03385).

CIFAR-10, section 4.2: batches of 128, 64k steps, learning rate 0.1 divided by 10 at 32k and 48k, weight decay
1e-4, momentum 0.9, He initialisation, batch normalisation, no dropout; pad 4, random 32x32 crop, mirror; the
per-pixel mean subtracted; tested on the single original view; the schedule was chosen on a 45k/5k split. Paper:
ResNet-20 8.75% error, -32 7.51, -44 7.17, -56 6.97, -110 6.43 (6.61 +- 0.16). For plain networks: --model plain20.

ImageNet, sections 3.4 and 4.1: batches of 256, up to 60e4 steps, learning rate 0.1 divided by 10 when the error
plateaus, weight decay 1e-4, momentum 0.9; shorter side drawn from [256, 480], a random 224x224 crop, mirror,
AlexNet's colour noise; tested by 10 crops. Paper, Table 3, top-1 error: plain-34 28.54%, ResNet-34 (A) 25.03, -50
22.85, -101 21.75, -152 21.43. The networks are `plain34`, `resnet34`, `resnet50_v1`, …: with --model.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import (
    Flip,
    MultiStep,
    PadCrop,
    PcaNoise,
    Plateau,
    Recipe,
    ScaleJitter,
    Sgd,
    WarmupUntilError,
)

MOMENTUM = "momentum in torch's form, v <- m*v + g and w <- w - lr*v: the same as the paper's at a constant rate"

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
    gmac=0.0406,
    expected="8.75% test error for ResNet-20 trained on all 50k (paper, Table 6)",
    differences=(
        "one device in place of two, so batch normalisation sees the whole batch of 128",
        MOMENTUM,
        "trains on 45k images and keeps 5k to choose by; --final trains on all 50k, as the paper's final figures do",
    ),
)

CIFAR10_110 = replace(
    CIFAR10,
    name="resnet2015/cifar10-110",
    model="resnet110",
    warmup=WarmupUntilError(error=0.8, factor=0.1),
    gmac=0.253,
    expected="6.43% test error, best of 5; mean 6.61 +- 0.16 (paper, Table 6)",
)

IMAGENET = Recipe(
    name="resnet2015/imagenet",
    paper="He et al. 2015, arXiv:1512.03385, sections 3.4 and 4.1",
    model="resnet50_v1",
    data="imagenet",
    batch_size=256,
    steps=600_000,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=Plateau(factor=0.1, patience_epochs=5),
    crop=ScaleJitter(pixels=224, shorter_side=(256, 480)),
    augment=(Flip(probability=0.5), PcaNoise(std=0.1, source="published")),
    normalisation="imagenet",
    initialisation="he_fan_in",
    protocol="10crop",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=3.858,
    expected="22.85% top-1, 6.71% top-5 error of ResNet-50 by 10 crops (Table 3); by --protocol multiscale_resnet "
    "20.74% and 5.25% (Table 4)",
    differences=(
        "the mean of each channel is subtracted in place of the per-pixel mean, and divided by the deviation",
        "how long the error has to stand still before the rate is divided is not in the paper: 5 epochs here",
        "colour noise along the widely used axes of ImageNet in place of the authors' own",
        "batch statistics are moving averages, where the authors counted them anew after training",
        MOMENTUM,
    ),
)
