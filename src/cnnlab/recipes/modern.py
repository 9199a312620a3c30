"""A plain modern recipe that suits any network: what a network trains with when only it is named.

SGD with Nesterov momentum, one cycle of the learning rate, weight decay on matrices and filters alone,
light label smoothing. Not from a paper; each part is common practice since 2018.
"""

from __future__ import annotations

from cnnlab.recipes.recipe import Flip, OneCycle, PadCrop, Recipe, Sgd

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
)
