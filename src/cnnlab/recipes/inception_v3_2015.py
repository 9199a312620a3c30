"""Rethinking the Inception architecture. Szegedy et al. 2015 (arXiv:1512.00567), sections 7 and 8.

50 replicas with batches of 32, 100 epochs, RMSProp with decay 0.9 and epsilon 1.0, a rate of 0.045 lowered by 6% every
two epochs, gradients clipped to a norm of 2.0, label smoothing 0.1, an auxiliary head with batch normalisation, tested
with a running average of the weights. Paper, Table 3: 21.2% top-1, 5.6% top-5 error with one crop; Table 4: 19.47% and
4.48% with 12 crops, 18.77% and 4.2% with 144.
"""

from __future__ import annotations

from cnnlab.recipes.recipe import ClipNorm, Ema, Flip, Photometric, RandomArea, Recipe, RmsProp, Step

IMAGENET = Recipe(
    name="inception_v3_2015/imagenet",
    paper="Szegedy et al. 2015, arXiv:1512.00567, section 8",
    model="inception_v3",
    data="imagenet",
    batch_size=1600,
    epochs=100,
    accumulate=50,
    optimizer=RmsProp(lr=0.045, decay=0.9, momentum=0.9, eps=1.0, weight_decay=4e-5),
    schedule=Step(every_epochs=2, factor=0.94),
    crop=RandomArea(pixels=299),
    augment=(Flip(probability=0.5), Photometric(brightness=0.2, contrast=0.2, saturation=0.2)),
    normalisation="half",
    label_smoothing=0.1,
    aux_weight=0.4,
    decay_norms_and_biases=False,
    clip=ClipNorm(norm=2.0),
    average=Ema(decay=0.9999),
    test_resize_pixels=342,
    test_crop_pixels=299,
    gmac=5.713,
    expected="21.2% top-1, 5.6% top-5 error, one crop (Table 3); by --protocol 144crop 18.77% and 4.2% (Table 4)",
    differences=(
        "synchronous: one update from 50 batches of 32, one after the other, in place of 50 replicas that update "
        "whenever they are ready; the rate is the paper's",
        "momentum 0.9 in RMSProp, weight decay 4e-5 and an average by 0.9999 are the released code's (unverified)",
        "the auxiliary loss counts 0.4, as in the released code; the paper gives no number",
    ),
)
