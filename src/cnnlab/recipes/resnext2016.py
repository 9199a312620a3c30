"""Aggregated residual transformations. Xie, Girshick, Dollar, Tu, He 2016 (arXiv:1611.05431), section 4.

ImageNet: batches of 256 on 8 GPUs, a rate of 0.1 divided by 10 every 30 epochs, weight decay 1e-4, momentum 0.9,
crops of random area and aspect; one centre crop (unverified). Paper: ResNeXt-50 (32x4d) 22.2% top-1 error
(unverified).

CIFAR-10: ResNeXt-29, batches of 128, weight decay 5e-4, a rate of 0.1 divided by 10 at epochs 150 and 225 of 300
(unverified). Paper: 8x64d 3.65% error, 16x64d 3.58 (unverified).
"""

from __future__ import annotations

from cnnlab.recipes.recipe import Flip, MultiStep, PadCrop, RandomArea, Recipe, Sgd, Step

IMAGENET = Recipe(
    name="resnext2016/imagenet",
    paper="Xie et al. 2016, arXiv:1611.05431, section 4",
    model="resnext50_32x4d",
    data="imagenet",
    batch_size=256,
    epochs=90,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=Step(every_epochs=30, factor=0.1),
    crop=RandomArea(pixels=224),
    augment=(Flip(probability=0.5),),
    normalisation="imagenet",
    initialisation="he_fan_out",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=4.23,
    expected="22.2% top-1 error for ResNeXt-50 (32x4d), one centre crop (unverified)",
    differences=(
        "one device in place of eight, so batch normalisation sees the whole batch of 256",
        "rate, decay and schedule are unverified; the length of 90 epochs is ours",
    ),
)

CIFAR10 = Recipe(
    name="resnext2016/cifar10",
    paper="Xie et al. 2016, arXiv:1611.05431, section 5.2",
    model="resnext29_8x64d",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    epochs=300,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=5e-4),
    schedule=MultiStep(at_epochs=(150, 225), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    initialisation="he_fan_out",
    gmac=5.387,
    expected="3.65% test error for 8x64d, 3.58% for --model resnext29_16x64d (unverified)",
    differences=(
        "rate, decay and schedule are unverified",
        "trains on 45k images and keeps 5k to choose by; --final trains on all 50k",
    ),
)
