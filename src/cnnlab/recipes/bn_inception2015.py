"""Batch normalization. Ioffe and Szegedy 2015 (arXiv:1502.03167), section 4.2: what changes against GoogLeNet.

The paper trains its Inception with momentum in batches of 32 at a rate of 0.0015 (BN-Baseline) and then, section
4.2.1, raises the rate (x5: 0.0075, x30: 0.045), removes dropout, divides the weight decay by 5, lowers the rate 6
times faster, removes local response normalisation, shuffles more thoroughly, and weakens the photometric distortions.
Each is a line of `CHANGES`. Paper, Figure 3: 72.7% top-1 accuracy for the baseline, 73.0 for x5 (72.2% after 2.1M
steps), 74.8 for x30 (after 6M); one crop 25.2% top-1 error, 144 crops 21.99% (Figure 4).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnnlab.recipes import googlenet2014
from cnnlab.recipes.recipe import Flip, Photometric, Sgd, Step

CHANGES: dict[str, Any] = {  # field: its value, after section 4.2.1
    "model": "bn_inception",  # batch normalisation, no local response normalisation, no dropout
    "optimizer": Sgd(lr=0.0075, momentum=0.9, weight_decay=2e-4 / 5),  # the rate raised, the decay divided by 5
    "schedule": Step(every_epochs=8 / 6, factor=0.96),  # lowered 6 times faster
    "augment": (Flip(probability=0.5), Photometric(brightness=0.2, contrast=0.2, saturation=0.2)),  # weaker
    "aux_weight": 0.0,  # the released network has no auxiliary heads
    "multiply": (),
    "average": None,
    "steps": 2_100_000,
    "epochs": None,
}

IMAGENET_X5 = replace(
    googlenet2014.IMAGENET,
    name="bn_inception2015/imagenet-x5",
    paper="Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.2 (BN-x5)",
    **CHANGES,
    initialisation="he_fan_in",
    gmac=2.033,
    expected="72.2% top-1 accuracy after 2.1M steps, 73.0% at best, one crop (Figure 3)",
    differences=(
        googlenet2014.SYNCHRONOUS,
        "the decay that is divided by 5 is that of BVLC's GoogLeNet, and 'weaker' distortions are half of ours there: "
        "the paper gives no numbers",
        "images are shuffled anew in every epoch, more than the paper's within-shard shuffling",
        "the dense 7x7 stem of the released network in place of the separable one (unverified)",
    ),
)

IMAGENET_X30 = replace(
    IMAGENET_X5,
    name="bn_inception2015/imagenet-x30",
    paper="Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.2 (BN-x30)",
    optimizer=Sgd(lr=0.045, momentum=0.9, weight_decay=2e-4 / 5),
    steps=6_000_000,
    expected="74.8% top-1 accuracy, one crop (Figure 3); 25.2% top-1 error with one crop, 21.99% with 144 (Figure 4)",
)
