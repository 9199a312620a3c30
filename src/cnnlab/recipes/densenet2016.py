"""Densely connected convolutional networks. Huang, Liu, van der Maaten, Weinberger 2016 (arXiv:1608.06993), section 4.

CIFAR-10: SGD with Nesterov's momentum 0.9, batches of 64, 300 epochs, a rate of 0.1 divided by 10 at 50% and 75%,
weight decay 1e-4, pad 4 and crop, mirroring (unverified). Paper, Table 2: 5.24% error for 40 layers with growth 12,
4.51 for BC-100-12.

ImageNet: batches of 256, 90 epochs, a rate of 0.1 divided by 10 at epochs 30 and 60 (unverified). Paper, one crop:
25.02% top-1, 7.71% top-5 error for DenseNet-121, 22.58% and 6.34% for -201 (unverified).
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import Flip, MultiStep, PadCrop, RandomArea, Recipe, Sgd

CIFAR10 = Recipe(
    name="densenet2016/cifar10",
    paper="Huang et al. 2016, arXiv:1608.06993, section 4.2",
    model="densenet_bc100_12",
    data="cifar10",
    val_images=5_000,
    batch_size=64,
    epochs=300,
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=MultiStep(at_epochs=(150, 225), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    initialisation="he_fan_in",
    gmac=0.288,
    expected="4.51% test error for BC-100-12 (Table 2)",
    differences=(
        "the numbers of the optimizer and schedule are unverified",
        "trains on 45k images and keeps 5k to choose by; --final trains on all 50k",
    ),
)

CIFAR10_40 = replace(
    CIFAR10,
    name="densenet2016/cifar10-40",
    model="densenet40_12",
    gmac=0.265,
    expected="5.24% test error for 40 layers, growth 12 (Table 2)",
)

IMAGENET = Recipe(
    name="densenet2016/imagenet",
    paper="Huang et al. 2016, arXiv:1608.06993, section 4.2",
    model="densenet121",
    data="imagenet",
    batch_size=256,
    epochs=90,
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=MultiStep(at_epochs=(30, 60), factor=0.1),
    crop=RandomArea(pixels=224),
    augment=(Flip(probability=0.5),),
    normalisation="imagenet",
    initialisation="he_fan_in",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=2.834,
    expected="25.02% top-1, 7.71% top-5 error for DenseNet-121, one centre crop (unverified)",
    differences=(
        "the numbers of the optimizer, schedule and augmentation are unverified",
        "one device in place of several, so batch normalisation sees the whole batch of 256",
    ),
)
