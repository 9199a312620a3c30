"""Training very deep networks. Srivastava, Greff, Schmidhuber 2015 (arXiv:1507.06228), section 4.

The numbers are those of the authors' Caffe files.

The 19-layer network on CIFAR-10: Nesterov's momentum 0.9, batches of 100, a rate of 0.025 divided by 10 at 100k, 150k
and 175k of 200k steps, weight decay 1e-3, ten times that on the last fully-connected layer, biases at twice the rate
without decay; images with global contrast normalisation, padded by 8 pixels, random 32x32 crops and mirroring, the
mean subtracted. Paper, Table 2: 92.46% accuracy, 92.28 +- 0.16 over 5 runs; 32 layers 91.20%.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import CAFFE_BIASES, Flip, Multiply, MultiStep, PadCrop, Recipe, Sgd

CIFAR10 = Recipe(
    name="highway2015/cifar10",
    paper="Srivastava et al. 2015, arXiv:1507.06228, section 4; the authors' Caffe files",
    model="highway19",
    data="cifar10",
    val_images=5_000,
    batch_size=100,
    steps=200_000,
    optimizer=Sgd(lr=0.025, momentum=0.9, nesterov=True, weight_decay=1e-3),
    schedule=MultiStep(at_steps=(100_000, 150_000, 175_000), factor=0.1),
    augment=(PadCrop(pixels=8), Flip(probability=0.5)),
    normalisation="gcn",
    multiply=(CAFFE_BIASES, Multiply(parameters="fc.weight", decay=10.0)),
    gmac=0.331,
    expected="7.54% test error at best, 7.72 +- 0.16 over 5 runs (Table 2)",
    differences=(
        "no mean is subtracted after global contrast normalisation, which takes each image's own away",
        "trains on 45k images and keeps 5k to choose by; --final trains on all 50k",
    ),
)

CIFAR10_32 = replace(
    CIFAR10,
    name="highway2015/cifar10-32",
    model="highway32",
    gmac=0.257,
    expected="8.80% test error (Table 2)",
    differences=("widths of the 32-layer network are ours: the paper does not give them", *CIFAR10.differences),
)
