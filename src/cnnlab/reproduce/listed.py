"""What can be reproduced, by name: the effect and its paper, as `cnnlab reproduce --list` prints them without torch.

A test holds them against the reproductions themselves.
"""

from __future__ import annotations

LISTED: dict[str, tuple[str, str]] = {
    "bottleneck-cost": (
        "a bottleneck at 256 channels costs what two 3x3 convolutions at 64 do",
        "He et al. 2015 (arXiv:1512.03385), section 4.1, Figure 5; the counts follow from its kernels and widths",
    ),
    "zero-init": (
        "from all-zero weights only the last bias learns",
        "textbook: Rumelhart, Hinton and Williams 1986 (Nature 323) break the symmetry by small random "
        "weights (unverified)",
    ),
    "factorised-convolutions": (
        "two 3x3 cost 72% of a 5x5; 1x7 and 7x1 cost 29% of a 7x7, and both save time",
        "Szegedy et al. 2015 (arXiv:1512.00567), sections 3.1 and 3.2, Figures 1 and 3; the shares follow "
        "from the kernels",
    ),
    "degradation": (
        "depth costs a plain network much more than a ResNet, on training images too",
        "He et al. 2015 (arXiv:1512.03385), section 4.2, Figure 6 and Table 6",
    ),
    "layer-responses": (
        "residual layers respond less than plain ones, and less the deeper the network",
        "He et al. 2015 (arXiv:1512.03385), section 4.2, Figure 7",
    ),
    "shortcut-options": (
        "all three options beat none; projections are not essential",
        "He et al. 2015 (arXiv:1512.03385), section 4.1, Table 3",
    ),
    "preactivation": (
        "anything on the shortcut hurts; BN after the addition hurts, BN and ReLU before the convolutions do not",
        "He et al. 2016 (arXiv:1603.05027), sections 3.1 and 4.1, Tables 1 and 2",
    ),
    "depth-1202": (
        "a much deeper network fits its training images and tests worse",
        "He et al. 2015 (arXiv:1512.03385), section 4.2, Table 6",
    ),
    "highway-depth": (
        "plain networks fail with depth, highway networks of 100 layers train like those of 10",
        "Srivastava, Greff and Schmidhuber 2015 (arXiv:1507.06228), section 3.1, Figure 1",
    ),
    "batchnorm-speed": (
        "with BN fewer steps to the same accuracy, 30 times the rate works, sigmoids learn",
        "Ioffe and Szegedy 2015 (arXiv:1502.03167), section 4.2.2, Figures 2 and 3",
    ),
    "initialisation": (
        "deep ReLU networks without BN learn from He's initialisation, not from Xavier's or a fixed Gaussian",
        "He et al. 2015 (arXiv:1502.01852), section 2.2, Figures 2 and 3; Glorot and Bengio 2010; the "
        "Gaussian of Krizhevsky et al. 2012",
    ),
    "learning-rate": (
        "too low is slow, too high fails; halving when validation stands still does no harm",
        "Krizhevsky et al. 2012, section 5; Simonyan and Zisserman 2014, section 3.1; He et al. 2015, section"
        " 3.4 (each divides by 10 on a plateau; halving is the textbook's)",
    ),
    "losses": (
        "cross-entropy learns classes best, the absolute error worst",
        "textbook: Nielsen 2015, Neural networks and deep learning, chapter 3 (unverified)",
    ),
    "optimisers": (
        "momentum beats plain SGD, Muon beats momentum, in a short training",
        "Sutskever et al. 2013 (momentum; unverified); Jordan 2024 (Muon)",
    ),
    "test-protocols": (
        "more views err less than one, several networks less than one",
        "Szegedy et al. 2014 (arXiv:1409.4842), section 7, Table 3; He et al. 2015 (arXiv:1512.03385), Tables 3, 4",
    ),
    "se-ratio": (
        "SE blocks lower the error; their ratio hardly matters",
        "Hu et al. 2017 (arXiv:1709.01507), Table 2 and the table of ratios (unverified: from memory)",
    ),
    "relu-vs-tanh": (
        "with ReLU fewer steps to the same training error than with tanh",
        "Krizhevsky et al. 2012, section 3.1, Figure 1 (unverified: from memory)",
    ),
    "augmentation-value": (
        "without shifted and mirrored images more test errors, and further from the training error",
        "Lin et al. 2013 (arXiv:1312.4400), section 4, Tables 1 and 5; Krizhevsky et al. 2012, section 4.1 "
        "(its words unverified)",
    ),
    "pca-noise": (
        "with colour noise fewer test errors",
        "Krizhevsky et al. 2012, section 4.1",
    ),
    "vgg-depth": (
        "16 and 19 layers of 3x3 convolutions err less than 11",
        "Simonyan and Zisserman 2014 (arXiv:1409.1556), section 4.1, Table 3",
    ),
    "lrn-useless": (
        "VGG's net A with LRN is no better than without",
        "Simonyan and Zisserman 2014 (arXiv:1409.1556), section 4.1, Table 3, A and A-LRN",
    ),
    "vgg-init-from-a": (
        "16 layers with small random weights stall; started from trained layers of net A they learn",
        "Simonyan and Zisserman 2014 (arXiv:1409.1556), section 3.1; it gives no figures",
    ),
    "dropout": (
        "without dropout more test errors, and further from the training error",
        "Krizhevsky et al. 2012, section 4.2 (over-fitting without dropout; unverified); Lin et al. 2013 "
        "(arXiv:1312.4400), section 4",
    ),
    "inception-aux": (
        "the auxiliary heads change the error by little",
        "Szegedy et al. 2014 (arXiv:1409.4842), section 5, heads and weight 0.3; the effect from there and "
        "from Szegedy et al. 2015 (arXiv:1512.00567), section 4 (unverified)",
    ),
}
