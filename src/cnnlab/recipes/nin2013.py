"""Network in Network. Lin, Chen, Yan 2013 (arXiv:1312.4400), section 4.

CIFAR-10: mlpconv layers, dropout 0.5 between them. Unverified: batches of 128, global contrast normalisation and ZCA
whitening as maxout, learning rate divided by 10 twice when training stalls, translation and mirroring. The numbers
are those of the authors' network in Caffe's model zoo as three ports agree on them (unverified, the file itself was
not at hand): rate 0.1, twice that for biases, a tenth for the layer of class maps, momentum 0.9, weight decay 1e-4
but not of biases, N(0, 0.05) initialisation, 120k steps. Paper: 8.81% error with augmentation, 10.41% without.

ImageNet: the paper has no such experiment; this is the authors' network as trained for Caffe's model zoo.
"""

from __future__ import annotations

from cnnlab.recipes.recipe import CAFFE_BIASES, Flip, Multiply, MultiStep, PadCrop, Recipe, ScaleJitter, Sgd, Step

CIFAR10 = Recipe(
    name="nin2013/cifar10",
    paper="Lin et al. 2013, arXiv:1312.4400, section 4; the authors' network in Caffe's model zoo",
    model="nin_cifar",
    data="cifar10",
    val_images=5_000,
    batch_size=128,
    steps=120_000,
    optimizer=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=MultiStep(at_steps=(100_000, 115_000), factor=0.1),
    augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    normalisation="gcn_zca",
    multiply=(
        CAFFE_BIASES,
        Multiply(parameters="classifier.*weight", lr=0.1),
        Multiply(parameters="classifier.*bias", lr=0.05),  # a tenth in all, with the biases' two
    ),
    gmac=0.222,
    expected="8.81% test error with augmentation, 10.41% without (paper, Tables 1 and 5)",
    differences=(
        "rates, decay and length are those of the authors' file for Caffe, as ports of it have them (unverified); the "
        "steps at which the rate is divided are those of the authors' file for CIFAR-100 (unverified); the paper "
        "divides it when training stalls (unverified)",
        "batches of 128, contrast normalisation and whitening are known from memory (unverified)",
        "translation by up to 4 pixels: how far the authors moved images is unverified",
    ),
)

IMAGENET = Recipe(
    name="nin2013/imagenet",
    paper="Caffe's model zoo, nin_imagenet; the network of Lin et al. 2013, arXiv:1312.4400",
    model="nin_imagenet",
    data="imagenet",
    batch_size=64,
    steps=450_000,
    optimizer=Sgd(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Step(every_steps=200_000, factor=0.1),
    crop=ScaleJitter(pixels=224, shorter_side=(256, 256), centre_square=True),
    augment=(Flip(probability=0.5),),
    normalisation="mean_255",
    multiply=(CAFFE_BIASES,),
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=1.1,
    expected="about 59% top-1 accuracy, one centre crop (unverified)",
    differences=(
        "photos keep their aspect and lose what is outside the centre square; Caffe's tools squeezed them to 256x256",
        "the mean of each channel in place of the mean image",
        "the solver is known from a third party's copy",
    ),
)
