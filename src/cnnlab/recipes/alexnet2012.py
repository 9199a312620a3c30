"""ImageNet classification with deep convolutional neural networks. Krizhevsky et al. 2012, sections 4 and 5.

Batches of 128, momentum 0.9, weight decay 5e-4, learning rate 0.01 divided by 10 by hand when the validation error
stands still (three times), about 90 epochs; weights N(0, 0.01), biases 1 in the second, fourth and fifth convolution
and the hidden fully-connected layers; shorter side 256, the centre 256x256 square (unverified), random 224x224 crops
and mirroring, the mean image subtracted (unverified), colour noise along the principal axes of RGB. Tested by the
average of 10 crops. Paper, Table 2: 40.7% top-1, 18.2% top-5 error on the validation images of 2012.

Caffe's re-training (bvlc_alexnet, caffenet): batches of 256, 450k steps, divided by 10 every 100k, biases 0.1 and at
twice the rate without decay, no colour noise. One centre crop: 57.1% top-1, 80.2% top-5 accuracy; CaffeNet 57.4,
80.4.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import CAFFE_BIASES, Flip, PcaNoise, Plateau, Recipe, ScaleJitter, Sgd, Step

IMAGENET = Recipe(
    name="alexnet2012/imagenet",
    paper="Krizhevsky et al. 2012, sections 4 and 5",
    model="alexnet_2012",
    data="imagenet",
    batch_size=128,
    epochs=90,
    optimizer=Sgd(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Plateau(factor=0.1, patience_epochs=5, drops=3),
    crop=ScaleJitter(pixels=227, shorter_side=(256, 256), centre_square=True),
    augment=(Flip(probability=0.5), PcaNoise(std=0.1, source="data")),
    normalisation="mean_255",
    protocol="10crop",
    test_resize_pixels=256,
    test_crop_pixels=227,
    gmac=0.724,
    expected="40.7% top-1, 18.2% top-5 error on the validation images of 2012, 10 crops (Table 2)",
    differences=(
        "crops of 227x227: the paper says 224, but its first layer needs 227 for 55x55 maps",
        "the rate was lowered by hand; here after 5 epochs without a lower validation error, three times at most",
        "the mean of each channel in place of the mean image (unverified)",
        "the paper does not say in which unit its colour noise takes the eigenvalues: RGB in [0, 1] here (our reading)",
        "one device in place of two; momentum in torch's form, the same while the rate is constant",
    ),
)

IMAGENET_CAFFE = replace(
    IMAGENET,
    name="alexnet2012/imagenet-caffe",
    paper="Caffe's models/bvlc_alexnet, solver.prototxt (Jia et al. 2014, arXiv:1408.5093)",
    batch_size=256,
    epochs=None,
    steps=450_000,
    schedule=Step(every_steps=100_000, factor=0.1),
    augment=(Flip(probability=0.5),),
    multiply=(CAFFE_BIASES,),
    protocol="center",
    expected="57.1% top-1, 80.2% top-5 accuracy, one centre crop (57.4%, 80.4% of --model caffenet)",
    differences=(
        "photos keep their aspect and lose what is outside the centre square; Caffe's tools squeezed them to 256x256",
        "the mean of each channel in place of the mean image",
        "biases and the two large layers start as in the paper's network, not at Caffe's 0.1 and N(0, 0.005)",
    ),
)
