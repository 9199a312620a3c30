"""Initialisations by name; a network's own is what its constructor leaves.

| name             | weights drawn from                                   | source                              |
|------------------|------------------------------------------------------|-------------------------------------|
| gaussian         | N(0, std), std 0.01 unless said                      | Krizhevsky et al. 2012, section 5   |
| lecun            | U(-2.4 / inputs, 2.4 / inputs)                       | LeCun et al. 1998, appendix A       |
| xavier           | variance 2 / (inputs + outputs), uniform             | Glorot and Bengio 2010, equation 16 |
| caffe_xavier     | variance 1 / inputs, uniform                         | Caffe's "xavier" filler             |
| he_fan_in        | variance 2 / inputs, normal                          | arXiv:1502.01852, equation 10       |
| he_fan_out       | variance 2 / outputs, normal                         | arXiv:1502.01852, equation 14       |
| truncated_normal | N(0, std), values beyond 2 std drawn anew; std 0.1   | the released Inception code         |
| orthogonal       | orthonormal rows or columns                          | Saxe et al. 2013, arXiv:1312.6120   |
| zero_gamma       | the last BN scale of every residual block becomes 0  | Goyal et al. 2017, arXiv:1706.02677 |

Inputs and outputs are those of one unit: kernel area times channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cnnlab.errors import UsageError, unknown_name

Initialisation = Literal[
    "own",
    "gaussian",
    "lecun",
    "xavier",
    "caffe_xavier",
    "he_fan_in",
    "he_fan_out",
    "truncated_normal",
    "orthogonal",
    "zero_gamma",
]
Filler = Callable[[Tensor], object]
Weighted = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm | nn.LayerNorm


def initialise(network: nn.Module, how: Initialisation, *, std: float | None = None) -> None:
    """Set every convolution and linear layer anew, in place; biases become 0, norms 1 and 0.

    Args:
        network: any network.
        how: a name of the table above. `own` changes nothing, `zero_gamma` only those scales.
        std: the standard deviation of `gaussian` or `truncated_normal`.

    Raises:
        UnknownNameError: there is no such initialisation; the message offers the nearest names.
        UsageError: `std` given to an initialisation without one, or `zero_gamma` for a network without
            a residual block that ends in batch normalisation.
    """
    if how not in get_args(Initialisation):
        raise unknown_name("initialisation", how, get_args(Initialisation))
    if std is not None and how not in ("gaussian", "truncated_normal"):
        raise UsageError(f"initialisation {how!r} has no std; only 'gaussian' and 'truncated_normal' have")
    if how == "zero_gamma":
        zero_gamma(network)
    elif how != "own":
        fill(network, filler(how, std))


def filler(how: Initialisation, std: float | None = None) -> Filler:
    """The function that draws one weight tensor (outputs, inputs, *kernel), in place."""
    fillers: dict[str, Filler] = {
        "gaussian": lambda weight: nn.init.normal_(weight, std=0.01 if std is None else std),
        "lecun": lecun_,
        "xavier": nn.init.xavier_uniform_,
        "caffe_xavier": caffe_xavier_,
        "he_fan_in": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu"),
        "he_fan_out": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"),
        "truncated_normal": lambda weight: truncated_normal_(weight, 0.1 if std is None else std),
        "orthogonal": nn.init.orthogonal_,
    }
    return fillers[how]


def fill(network: nn.Module, draw: Filler, bias: float = 0.0) -> None:
    """Draw every weight; biases become `bias`, unless their layer has an `initial_bias` (highway gates)."""
    for module in network.modules():
        if isinstance(module, Weighted):
            draw(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, getattr(module, "initial_bias", bias))
        elif isinstance(module, Norm):
            module.reset_parameters()


def zero_gamma(network: nn.Module) -> None:
    """Set the last batch-norm scale of every residual block to 0, so that each starts as the identity.

    A block is a module with a `downsample` (None where the shortcut is the identity) and norms `bn1`,
    `bn2`, … as in torchvision's networks; pre-activation blocks do not end in a norm and have none.
    """
    last = [norm for block in network.modules() if (norm := last_norm(block)) is not None]
    if not last:
        raise UsageError(f"{type(network).__name__} has no residual block that ends in batch normalisation")
    for norm in last:
        nn.init.zeros_(norm.weight)


def last_norm(block: nn.Module) -> nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | None:
    """The norm before a residual block's addition, or None where `block` is not such a block."""
    if not hasattr(block, "downsample") or getattr(block, "plain", False) or not getattr(block, "residual", True):
        return None
    for name in ("bn3", "bn2"):
        norm = getattr(block, name, None)
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            return norm
    return None


def lecun_(weight: Tensor) -> Tensor:
    """Draw from U(-2.4 / inputs, 2.4 / inputs)."""
    bound = 2.4 / math.prod(weight.shape[1:])
    return nn.init.uniform_(weight, -bound, bound)


def caffe_xavier_(weight: Tensor) -> Tensor:
    """Draw from U(-sqrt(3 / inputs), sqrt(3 / inputs)), Caffe's filler of that name."""
    bound = math.sqrt(3 / math.prod(weight.shape[1:]))
    return nn.init.uniform_(weight, -bound, bound)


def truncated_normal_(weight: Tensor, std: float) -> Tensor:
    """Draw from N(0, std) kept within 2 std; as `nn.init.trunc_normal_`, an order of magnitude faster."""
    inside = math.erf(2 / math.sqrt(2))
    with torch.no_grad():
        weight.uniform_(-inside, inside).erfinv_().mul_(std * math.sqrt(2))
        return weight.clamp_(-2 * std, 2 * std)
