"""MATLAB's tutorial "Train Residual Network for Image Classification", as it was before release R2021b.

Width 16 and three units a stage; SGD with momentum 0.9 and an L2 factor of 1e-4 (MATLAB's defaults), batches of 128,
a rate of 0.1 times 0.1 after 60 of 80 epochs, Glorot initialisation, images centred to mean zero, moved by up to 4
pixels and mirrored. The tutorial shows about 9.8% error on CIFAR-10's test images, which it uses for validation
(unverified).
"""

from __future__ import annotations

from cnnlab.recipes.recipe import Flip, MultiStep, PadCrop, Recipe, Sgd

CIFAR10 = Recipe(
    name="matlab2019/cifar10",
    paper="MATLAB, Train Residual Network for Image Classification (before R2021b)",
    model="resnet_matlab",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    epochs=80,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=MultiStep(at_epochs=(60,), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    normalisation="pixel_mean",
    gmac=0.0408,
    expected="about 9.8% error, 2.9% on the training images (unverified)",
    differences=(
        "validates on 5k training images held out; the tutorial validates on the test images",
        "translations leave a border of the mean colour, MATLAB's one of zeros",
    ),
)
