"""Our own fast recipe: what `cnnlab train` does when nothing else is said. Not from a paper.

AirNet, with convolutions trained by Muon (Jordan 2024), images of 16, then 24, then 32 pixels, mirrored
every other epoch, the learning rate falling in a straight line. On a CPU the run is shortened to
`cpu_minutes` where it would take longer. All choices were made on the validation split;
docs/performance.md has what was tried.

The losses are means over the batch, which is why biases of batch normalisation have a rate of 27: a
gradient summed over 512 images would have 0.053.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import AlternatingFlip, Muon, OneCycle, PadCrop, Recipe, Resolution, Sgd

CIFAR10 = Recipe(
    name="fast/cifar10",
    paper="cnnlab's own; Muon, whitening and alternating flip after Jordan 2024, arXiv:2404.00498",
    model="airnet",
    data="cifar10",
    val_images=5_000,
    batch_size=512,
    epochs=12,
    cpu_minutes=11,
    optimizer=Muon(
        lr=0.24,
        momentum=0.7,
        rest=Sgd(lr=27.0, momentum=0.85, nesterov=True, weight_decay=4e-5),
        linear=Sgd(lr=0.0052, momentum=0.85, nesterov=True, weight_decay=0.2),
    ),
    schedule=OneCycle(peak_at=0.0),
    augment=(PadCrop(pixels=2, mode="reflect"), AlternatingFlip()),
    resolutions=(Resolution(until=0.3, pixels=16), Resolution(until=0.7, pixels=24)),
    label_smoothing=0.2,
    protocol="flip",
)

MNIST = replace(
    CIFAR10,
    name="fast/mnist",
    data="mnist",
    epochs=3,
    augment=(PadCrop(pixels=2),),
    resolutions=(Resolution(until=0.5, pixels=16),),
    protocol="center",
)
