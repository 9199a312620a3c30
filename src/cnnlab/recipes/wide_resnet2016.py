"""Wide residual networks. Zagoruyko and Komodakis 2016 (arXiv:1605.07146), section 3.

CIFAR-10: SGD with Nesterov's momentum 0.9, batches of 128, a rate of 0.1 times 0.2 at epochs 60, 120 and 160 of 200,
weight decay 5e-4, pad 4 and crop, mirroring; dropout 0.3 between the convolutions in the second variant (unverified).
Paper: WRN-28-10 4.00% error, 3.89 with dropout; 40-4 4.53, 16-8 4.27.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import Flip, MultiStep, PadCrop, Recipe, Sgd

CIFAR10 = Recipe(
    name="wide_resnet2016/cifar10",
    paper="Zagoruyko and Komodakis 2016, arXiv:1605.07146, section 3",
    model="wrn28_10",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    epochs=200,
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
    schedule=MultiStep(at_epochs=(60, 120, 160), factor=0.2),
    augment=(PadCrop(pixels=4, mode="reflect"), Flip(probability=0.5)),
    initialisation="he_fan_in",
    gmac=5.243,
    expected="4.00% test error for WRN-28-10 (4.53% for --model wrn40_4, 4.27% for wrn16_8)",
    differences=(
        "the numbers of the optimizer and schedule are unverified",
        "trains on 45k images and keeps 5k to choose by; --final trains on all 50k",
    ),
)

CIFAR10_DROPOUT = replace(
    CIFAR10,
    name="wide_resnet2016/cifar10-dropout",
    dropout=0.3,
    expected="3.89% test error for WRN-28-10 with dropout",
)
