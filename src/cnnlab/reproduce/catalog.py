"""Every reproduction by name, in the order in which they are made: those that share runs beside each other."""

from __future__ import annotations

from cnnlab.errors import unknown_name
from cnnlab.reproduce import (
    augmentation_value,
    batchnorm_speed,
    bottleneck_cost,
    degradation,
    depth_1202,
    dropout,
    factorised_convolutions,
    highway_depth,
    inception_aux,
    initialisation,
    layer_responses,
    learning_rate,
    losses,
    lrn_useless,
    optimisers,
    pca_noise,
    preactivation,
    relu_vs_tanh,
    se_ratio,
    shortcut_options,
    test_protocols,
    vgg_depth,
    vgg_init_from_a,
    zero_init,
)
from cnnlab.reproduce.reproduction import Reproduction

REPRODUCTIONS: dict[str, Reproduction] = {
    "bottleneck-cost": bottleneck_cost.REPRODUCTION,
    "zero-init": zero_init.REPRODUCTION,
    "factorised-convolutions": factorised_convolutions.REPRODUCTION,
    "degradation": degradation.REPRODUCTION,
    "layer-responses": layer_responses.REPRODUCTION,
    "shortcut-options": shortcut_options.REPRODUCTION,
    "preactivation": preactivation.REPRODUCTION,
    "depth-1202": depth_1202.REPRODUCTION,
    "highway-depth": highway_depth.REPRODUCTION,
    "batchnorm-speed": batchnorm_speed.REPRODUCTION,
    "initialisation": initialisation.REPRODUCTION,
    "learning-rate": learning_rate.REPRODUCTION,
    "losses": losses.REPRODUCTION,
    "optimisers": optimisers.REPRODUCTION,
    "test-protocols": test_protocols.REPRODUCTION,
    "se-ratio": se_ratio.REPRODUCTION,
    "relu-vs-tanh": relu_vs_tanh.REPRODUCTION,
    "augmentation-value": augmentation_value.REPRODUCTION,
    "pca-noise": pca_noise.REPRODUCTION,
    "vgg-depth": vgg_depth.REPRODUCTION,
    "lrn-useless": lrn_useless.REPRODUCTION,
    "vgg-init-from-a": vgg_init_from_a.REPRODUCTION,
    "dropout": dropout.REPRODUCTION,
    "inception-aux": inception_aux.REPRODUCTION,
}


def get_reproduction(name: str) -> Reproduction:
    """The reproduction called `name`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest names.
    """
    if name not in REPRODUCTIONS:
        raise unknown_name("reproduction", name, REPRODUCTIONS, see="cnnlab reproduce --list")
    return REPRODUCTIONS[name]
