"""Our own fast recipe for CIFAR-10 (provisional)."""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import AlternatingFlip, Muon, OneCycle, PadCrop, Recipe, Resolution, Sgd

CIFAR10 = Recipe(
    name="fast/cifar10",
    paper="ours",
    model="airnet",
    data="cifar10",
    val_images=5_000,
    batch_size=500,
    epochs=8,
    cpu_minutes=11,
    optimizer=Muon(lr=0.24, rest=Sgd(lr=0.05, momentum=0.85, nesterov=True)),
    schedule=OneCycle(peak_at=0.1, start_factor=0.2),
    augment=(PadCrop(pixels=2, mode="reflect"), AlternatingFlip()),
    resolutions=(Resolution(until=0.5, pixels=24),),
    label_smoothing=0.2,
    protocol="flip",
)

MNIST = replace(CIFAR10, name="fast/mnist", data="mnist", epochs=4, augment=(PadCrop(pixels=2),))
