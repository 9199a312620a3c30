"""Going deeper with convolutions. Szegedy et al. 2014 (arXiv:1409.4842), sections 5 to 7; and BVLC's re-training.

GoogLeNet: asynchronous SGD with momentum 0.9, the learning rate lowered by 4% every 8 epochs, Polyak's average of the
weights; crops of 8 to 100% of the area with an aspect from 3/4 to 4/3, photometric distortions, mirroring, one of
four interpolations; two auxiliary heads whose losses count 0.3 each. Tested by 144 crops. The paper gives neither the
rate, the batch nor the length: those here are of BVLC's re-training. Paper, Table 3: 10.07% top-5 error of one
network with one crop, 9.15 with 10, 7.89 with 144.

BVLC (Caffe's bvlc_googlenet, "quick"): batches of 32, 2.4 million steps, rate 0.01 (1 - i / 2.4M)^0.5, weight decay
2e-4, biases at twice the rate without decay, crops of 224 from 256 and mirroring. One centre crop: 68.7% top-1, 88.9%
top-5 accuracy.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes.recipe import (
    CAFFE_BIASES,
    Flip,
    Photometric,
    Polyak,
    Polynomial,
    RandomArea,
    Recipe,
    ScaleJitter,
    Sgd,
    Step,
)

SYNCHRONOUS = "synchronous SGD on one machine in place of asynchronous SGD on many (DistBelief)"

IMAGENET = Recipe(
    name="googlenet2014/imagenet",
    paper="Szegedy et al. 2014, arXiv:1409.4842, sections 6 and 7",
    model="googlenet_2014",
    data="imagenet",
    batch_size=32,
    epochs=250,
    optimizer=Sgd(lr=0.01, momentum=0.9, weight_decay=2e-4),
    schedule=Step(every_epochs=8, factor=0.96),
    crop=RandomArea(
        pixels=224, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3), interpolations=("nearest", "bilinear", "bicubic", "area")
    ),
    augment=(Flip(probability=0.5), Photometric(brightness=0.4, contrast=0.4, saturation=0.4)),
    normalisation="mean_255",
    aux_weight=0.3,
    multiply=(CAFFE_BIASES,),
    average=Polyak(from_share=0.8),
    protocol="144crop",
    test_resize_pixels=256,
    test_crop_pixels=224,
    gmac=1.583,
    expected="7.89% top-5 error of one network, 144 crops; 10.07% with one crop (Table 3)",
    differences=(
        SYNCHRONOUS,
        "rate, batch, decay and length are those of BVLC's re-training; the paper does not give them",
        "the strength of the photometric distortions and where the average begins (the last fifth) are ours",
    ),
)

IMAGENET_BVLC = replace(
    IMAGENET,
    name="googlenet2014/imagenet-bvlc",
    paper="Caffe's models/bvlc_googlenet, quick_solver.prototxt (Jia et al. 2014, arXiv:1408.5093)",
    epochs=None,
    steps=2_400_000,
    schedule=Polynomial(power=0.5),
    crop=ScaleJitter(pixels=224, shorter_side=(256, 256), centre_square=True),
    augment=(Flip(probability=0.5),),
    average=None,
    protocol="center",
    expected="68.7% top-1, 88.9% top-5 accuracy, one centre crop",
    differences=(
        "photos keep their aspect and lose what is outside the centre square; Caffe's tools squeezed them to 256x256",
        "the mean of each channel in RGB order in place of 104, 117, 123 in BGR order",
    ),
)
