"""Identity mappings in deep residual networks. He, Zhang, Ren, Sun 2016 (arXiv:1603.05027), appendix and section 5.

CIFAR-10: as ResNet 2015 (`resnet2015/cifar10`), and every network begins with a rate of 0.01 for 400 steps. Paper,
Tables 2 and 4: 6.37% error for 110 layers, 5.46 for 164, 4.92 for 1001 (4.89 +- 0.14); median of 5 runs.

ImageNet: batches of 256 on 8 GPUs, a rate of 0.1 divided by 10 after 30 and 60 epochs (unverified), shorter side drawn
from [256, 480], a random 224x224 crop; tested on a 320x320 crop. Paper, Table 5: 20.7% top-1, 5.3% top-5 error for 200
layers, 21.1% and 5.5% for 152.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes import resnet2015
from cnnlab.recipes.recipe import ConstantWarmup, MultiStep

CIFAR10 = replace(
    resnet2015.CIFAR10,
    name="resnet_v2_2016/cifar10",
    paper="He et al. 2016, arXiv:1603.05027, appendix",
    model="resnetv2_164",
    warmup=ConstantWarmup(steps=400, factor=0.1),
    gmac=0.2445,
    expected="5.46% test error for 164 layers, median of 5 runs (Table 2); 6.37% for --model resnetv2_110",
)

CIFAR10_1001 = replace(
    CIFAR10,
    name="resnet_v2_2016/cifar10-1001",
    model="resnetv2_1001",
    gmac=1.488,
    expected="4.92% test error, 4.89 +- 0.14 over 5 runs (Table 4)",
)

IMAGENET = replace(
    resnet2015.IMAGENET,
    name="resnet_v2_2016/imagenet",
    paper="He et al. 2016, arXiv:1603.05027, section 5 and appendix",
    model="resnetv2_152",
    steps=None,
    epochs=90,
    schedule=MultiStep(at_epochs=(30, 60), factor=0.1),
    protocol="320",
    gmac=11.51,
    expected="21.1% top-1, 5.5% top-5 error, one 320x320 crop (Table 5); 20.7% and 5.3% for --model resnetv2_200",
    differences=(
        "the length of 90 epochs is ours; where the rate is divided is unverified",
        "one device in place of eight, so batch normalisation sees the whole batch of 256",
        "the mean of each channel is subtracted in place of the per-pixel mean, and divided by the deviation",
        resnet2015.MOMENTUM,
    ),
)
