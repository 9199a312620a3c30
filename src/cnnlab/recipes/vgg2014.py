"""Very Deep Convolutional Networks. Simonyan and Zisserman 2014 (arXiv:1409.1556), sections 3 and 4.

ImageNet: batches of 256, momentum 0.9, weight decay 5e-4, dropout 0.5 on the first two fully-connected layers,
learning rate 1e-2 divided by 10 three times when the validation error stands still, 370k steps (74 epochs). Shorter
side S fixed at 256 or drawn from [256, 512], a random 224x224 crop, mirror, AlexNet's colour noise, the mean
colour subtracted. Net A starts at random; deeper nets copy A's first four convolutions and its three fully-connected
layers: train `vgg2014/imagenet-a`, then the deeper one with --pretrained RUN. Without it they start by Glorot's rule,
which the paper's footnote says does as well.

Tested densely: the fully-connected layers as convolutions over the whole image, averaged with the mirror image.

CIFAR-10: not in the paper. Net A made small (`vgg11_cifar`), with the paper's optimizer.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import (
    CopyLayers,
    Flip,
    MultiStep,
    PadCrop,
    PcaNoise,
    Plateau,
    Recipe,
    ScaleJitter,
    Sgd,
)

FULLY_CONNECTED = (("classifier.0", "classifier.0"), ("classifier.3", "classifier.3"), ("classifier.6", "classifier.6"))
# Layer here: layer of net A. Its first four convolutions are the first of stages 1, 2 and 3 and the second of stage 3.
FROM_A_TO_B_AND_DEEPER = CopyLayers(
    model="vgg11",
    layers=(
        ("features.0", "features.0"),
        ("features.5", "features.3"),
        ("features.10", "features.6"),
        ("features.12", "features.8"),
        *FULLY_CONNECTED,
    ),
)

IMAGENET_A = Recipe(
    name="vgg2014/imagenet-a",
    paper="Simonyan and Zisserman 2014, arXiv:1409.1556, section 3.1",
    model="vgg11",
    data="imagenet",
    batch_size=256,
    steps=370_000,
    optimizer=Sgd(lr=1e-2, momentum=0.9, weight_decay=5e-4),
    schedule=Plateau(factor=0.1, patience_epochs=5, drops=3),
    crop=ScaleJitter(pixels=224, shorter_side=(256, 256)),
    augment=(Flip(probability=0.5), PcaNoise(std=0.1, source="published")),
    normalisation="mean_255",
    initialisation="gaussian",
    initialisation_std=0.01,
    protocol="dense",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=7.609,
    expected="29.6% top-1, 10.4% top-5 error at one scale, S = Q = 256 (Table 3)",
    differences=(
        "weights start from N(0, 0.01 deviation), as in the released Caffe files; the text's N(0, 0.01 variance) is "
        "--set initialisation_std=0.1",
        "how long the error has to stand still before the rate is divided is not in the paper: 5 epochs here",
    ),
)

IMAGENET_D = replace(
    IMAGENET_A,
    name="vgg2014/imagenet-d",
    model="vgg16",
    initialisation="own",
    initialisation_std=None,
    start=FROM_A_TO_B_AND_DEEPER,
    gmac=15.47,
    expected="27.0% top-1, 8.8% top-5 error at one scale, S = Q = 256 (Table 3)",
    differences=(
        "without --pretrained RUN of a trained net A, weights start by Glorot's rule, as the paper's footnote allows",
        *IMAGENET_A.differences[1:],
    ),
)

IMAGENET_E = replace(
    IMAGENET_D,
    name="vgg2014/imagenet-e",
    model="vgg19",
    gmac=19.63,
    expected="27.3% top-1, 9.0% top-5 error at one scale, S = Q = 256 (Table 3)",
)

IMAGENET_D_JITTER = replace(
    IMAGENET_D,
    name="vgg2014/imagenet-d-jitter",
    optimizer=Sgd(lr=1e-3, momentum=0.9, weight_decay=5e-4),
    crop=ScaleJitter(pixels=224, shorter_side=(256, 512)),
    start=None,
    protocol="multiscale",
    test_resize_pixels=384,
    expected="24.8% top-1, 7.5% top-5 error, Q = 256, 384, 512 (Table 4)",
    differences=(
        "fine-tunes all layers of a network trained at a fixed S = 384, from --pretrained RUN; the rate of 1e-3 is "
        "that of the step from S = 256 to 384, and the length that of a whole training: neither is given for this step",
        *IMAGENET_A.differences[1:],
    ),
)

CIFAR10 = Recipe(
    name="vgg2014/cifar10",
    paper="the optimizer of Simonyan and Zisserman 2014, arXiv:1409.1556, section 3.1; CIFAR-10 is not in the paper",
    model="vgg11_cifar",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    epochs=120,
    optimizer=Sgd(lr=1e-2, momentum=0.9, weight_decay=5e-4),
    schedule=MultiStep(at_epochs=(60, 90, 110), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    initialisation="he_fan_in",
    gmac=0.153,
    expected="about 10% test error (ours, unverified; the paper has no such experiment)",
    differences=(
        "the network, the data, the length and the places where the rate is divided are ours",
        "batches of 128 in place of 256, and He's initialisation",
    ),
)
