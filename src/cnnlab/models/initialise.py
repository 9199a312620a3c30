"""Initialisations by name; a network's own is what its constructor leaves."""

from __future__ import annotations

from typing import Literal

from torch import nn

Initialisation = Literal["own", "he_fan_in", "he_fan_out"]


def initialise(network: nn.Module, how: Initialisation) -> None:
    """Set every convolution and linear layer anew, in place; biases become 0, norms 1 and 0.

    `he_fan_in` and `he_fan_out` draw from N(0, 2 / n), n = inputs of a unit or outputs of a weight
    (He et al. 2015, arXiv:1502.01852, equations 10 and 14). `own` changes nothing.
    """
    if how == "own":
        return
    mode: Literal["fan_in", "fan_out"] = "fan_in" if how == "he_fan_in" else "fan_out"
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_parameters()
