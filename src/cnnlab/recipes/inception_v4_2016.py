"""Inception-v4, Inception-ResNet. Szegedy, Ioffe, Vanhoucke, Alemi 2016 (arXiv:1602.07261), section 4.

20 replicas, RMSProp with decay 0.9 and epsilon 1.0, a rate of 0.045 lowered by 6% every two epochs, tested with a
running average of the weights (unverified). Paper, one crop: Inception-v4 20.0% top-1, 5.0% top-5 error (unverified),
Inception-ResNet-v1 21.3%, 5.5% (unverified), Inception-ResNet-v2 19.9%, 4.9%; 144 crops: 17.7%, 3.8%; 18.8%, 4.3%;
17.8%, 3.7%.
"""

from __future__ import annotations

from dataclasses import replace

from cnnlab.recipes import inception_v3_2015

IMAGENET = replace(
    inception_v3_2015.IMAGENET,
    name="inception_v4_2016/imagenet",
    paper="Szegedy et al. 2016, arXiv:1602.07261, section 4",
    model="inception_v4",
    batch_size=640,
    epochs=160,
    accumulate=20,
    aux_weight=0.0,
    clip=None,
    gmac=12.25,
    expected="20.0% top-1, 5.0% top-5 error, one crop (unverified); by --protocol 144crop 17.7% and 3.8%",
    differences=(
        "synchronous: one update from 20 batches of 32, one after the other, in place of 20 replicas that update "
        "whenever they are ready; the batch of a replica is unverified, the rate is the paper's (unverified)",
        "160 epochs: about where the paper's curves end (unverified)",
        "label smoothing 0.1, weight decay 4e-5, momentum 0.9 and the average's decay are those of Inception-v3's "
        "released code (unverified)",
        "no auxiliary head: our network has none",
    ),
)

IMAGENET_RESNET_V1 = replace(
    IMAGENET,
    name="inception_v4_2016/imagenet-resnet-v1",
    model="inception_resnet_v1",
    gmac=6.206,
    expected="21.3% top-1, 5.5% top-5 error, one crop (unverified); by --protocol 144crop 18.8% and 4.3%",
)

IMAGENET_RESNET_V2 = replace(
    IMAGENET,
    name="inception_v4_2016/imagenet-resnet-v2",
    model="inception_resnet_v2",
    gmac=13.16,
    expected="19.9% top-1, 4.9% top-5 error, one crop; by --protocol 144crop 17.8% and 3.7%",
)
