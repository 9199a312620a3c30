"""Plain modern recipes that suit any network: what a network trains with when only it is named.

CIFAR-10: SGD with Nesterov momentum, one cycle of the learning rate, weight decay on matrices and filters alone,
light label smoothing. Not from a paper; each part is common practice since 2018.

ImageNet: 90 epochs of batches of 256, five epochs of warm-up to a rate of 0.1 (Goyal et al. 2017,
arXiv:1706.02677) and a cosine down (Loshchilov & Hutter 2017, arXiv:1608.03983), crops of random area, mirror,
label smoothing 0.1, weight decay 1e-4 on matrices and filters alone.

Photos: AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) for the few photos that people have, on which SGD at a rate
made for 45,000 images diverges; `choose.py` fits it to a folder and a network.

Fine-tuning: a few epochs at a small rate, for weights that `--pretrained` names; photos of 128 pixels and more are
read from disk and cut anew in every epoch.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import (
    AdamW,
    ClipNorm,
    Cosine,
    Flip,
    LinearWarmup,
    OneCycle,
    PadCrop,
    RandomArea,
    Recipe,
    Sgd,
)

CIFAR10 = Recipe(
    name="modern/cifar10",
    paper="common practice since 2018; one cycle after Smith & Topin 2018, arXiv:1708.07120",
    model="resnet20",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    epochs=30,
    optimizer=Sgd(lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4),
    schedule=OneCycle(peak_at=0.2, start_factor=0.1),
    augment=(PadCrop(pixels=4, mode="reflect"), Flip()),
    initialisation="he_fan_out",
    label_smoothing=0.05,
    decay_norms_and_biases=False,
    gmac=0.0406,
    expected="about 8% test error of ResNet-20 (ours, unverified)",
)

IMAGENET = Recipe(
    name="modern/imagenet",
    paper="common practice since 2018; warm-up after Goyal et al. 2017, arXiv:1706.02677",
    model="resnet50",
    data="imagenet",
    batch_size=256,
    epochs=90,
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=Cosine(),
    warmup=LinearWarmup(epochs=5),
    crop=RandomArea(pixels=224),
    augment=(Flip(),),
    normalisation="imagenet",
    label_smoothing=0.1,
    decay_norms_and_biases=False,
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=4.089,
    expected="23 to 24% top-1 error of ResNet-50, one centre crop (unverified; torchvision's plain recipe has 23.87)",
)

PHOTOS = Recipe(
    name="modern/photos",
    paper="common practice since 2019; AdamW, one cycle, clipped gradients",
    model="airnet",
    data="photos",
    batch_size=16,
    steps=500,
    optimizer=AdamW(lr=2e-3, weight_decay=0.05),
    schedule=OneCycle(peak_at=0.2, start_factor=0.01),
    augment=(PadCrop(pixels=4, mode="reflect"), Flip()),
    label_smoothing=0.05,
    decay_norms_and_biases=False,
    clip=ClipNorm(norm=1.0),
    folder_pixels=32,
    gmac=0.0654,
    expected="far above guessing on 200 photos of two classes (docs/data.md)",
)

FINETUNE = Recipe(
    name="modern/finetune",
    paper="common practice; fine-tuning as Caffe made it popular (Jia et al. 2014, arXiv:1408.5093)",
    model="resnet20",
    data="cifar10",
    val_images=5_000,
    batch_size=32,
    epochs=20,
    optimizer=Sgd(lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=OneCycle(peak_at=0.2, start_factor=0.1),
    augment=(PadCrop(pixels=4, mode="reflect"), Flip()),
    decay_norms_and_biases=False,
    gmac=0.0406,
    expected="above training from scratch on the same few images",
)

FINETUNE_PHOTOS = replace(
    FINETUNE,
    name="modern/finetune-photos",
    model="resnet50",
    data="imagenet",
    val_images=None,
    optimizer=Sgd(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
    crop=RandomArea(pixels=224, area=(0.25, 1.0)),
    augment=(Flip(),),
    normalisation="imagenet",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=4.089,
)
