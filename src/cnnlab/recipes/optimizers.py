"""How weights are moved: optimizers, multipliers for some of the parameters, clipping, averages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from cnnlab.errors import UsageError
from cnnlab.recipes.values import STRICT, BelowOne, NotNegative, Positive

# -- optimizers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Sgd:
    """Stochastic gradient descent with momentum; `weight_decay` times the weight joins the gradient."""

    lr: Positive
    momentum: BelowOne = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    kind: Literal["sgd"] = "sgd"

    def __post_init__(self) -> None:
        """Refuse Nesterov's rule without momentum."""
        if self.nesterov and not self.momentum:
            raise UsageError("optimizer sgd has nesterov=True and momentum=0; give a momentum such as 0.9")


@dataclass(frozen=True, config=STRICT)
class RmsProp:
    """RMSProp as TensorFlow has it: the gradient over sqrt(running mean of its square + `eps`), then momentum.

    `eps` is inside the root and the mean starts at 1; torch adds it outside and starts at 0, another rule
    where `eps` is 1.0, as in Inception (Szegedy et al. 2015, arXiv:1512.00567, section 8).
    """

    lr: Positive
    decay: BelowOne = 0.9
    momentum: BelowOne = 0.0
    eps: Positive = 1.0
    weight_decay: NotNegative = 0.0
    kind: Literal["rmsprop"] = "rmsprop"


@dataclass(frozen=True, config=STRICT)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    lr: Positive
    beta1: BelowOne = 0.9
    beta2: BelowOne = 0.999
    weight_decay: NotNegative = 0.0
    kind: Literal["adamw"] = "adamw"


@dataclass(frozen=True, config=STRICT)
class Muon:
    """Momentum made orthogonal (Jordan 2024) for convolutions, `linear` for matrices, `rest` for all else.

    A filter bank (out, in, kh, kw) counts as the matrix (out, in*kh*kw) and is rescaled to a norm of
    sqrt(out) before each update, so `lr` is the size of a step relative to the filters themselves.
    Without `linear`, matrices are trained by `rest`.
    """

    lr: Positive
    rest: Sgd
    linear: Sgd | None = None
    momentum: BelowOne = 0.6
    newton_schulz_steps: Annotated[int, Field(ge=1, le=12)] = 3
    kind: Literal["muon"] = "muon"


Optimizer = Annotated[Sgd | RmsProp | AdamW | Muon, Field(discriminator="kind")]


# -- what differs for some parameters ----------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Multiply:
    """Multipliers for the parameters whose name matches the shell pattern `parameters`, such as `*.bias`.

    Where several patterns match, all their factors are multiplied. Caffe's `lr_mult` and `decay_mult`.
    """

    parameters: str
    lr: NotNegative = 1.0
    decay: NotNegative = 1.0


CAFFE_BIASES = Multiply(parameters="*bias", lr=2.0, decay=0.0)
"""What Caffe's files of the time have for every bias: `lr_mult: 2 decay_mult: 0`."""


# -- clipping ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class ClipNorm:
    """Scale all gradients down together where their common norm is above `norm` (Pascanu et al. 2013)."""

    norm: Positive
    kind: Literal["norm"] = "norm"


@dataclass(frozen=True, config=STRICT)
class ClipAdaptive:
    """Scale each unit's gradient down to `ratio` times the norm of its weights (Brock et al. 2021, section 4.1).

    A unit is one output of a convolution or linear layer. The classifier is left alone, as in the paper.
    """

    ratio: Positive = 0.01
    kind: Literal["adaptive"] = "adaptive"


Clip = Annotated[ClipNorm | ClipAdaptive, Field(discriminator="kind")]


# -- averages --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Ema:
    """Keep an exponential moving average of the weights and test with it.

    The decay holds for steps counted from the start; early on it is lower, (1 + step) / (10 + step).
    """

    decay: BelowOne = 0.999
    kind: Literal["ema"] = "ema"


@dataclass(frozen=True, config=STRICT)
class Polyak:
    """Keep the plain mean of the weights after each step, from this share of the training on, and test with it.

    Polyak and Juditsky 1992, acceleration of stochastic approximation by averaging.
    """

    from_share: BelowOne = 0.5
    kind: Literal["polyak"] = "polyak"


Average = Annotated[Ema | Polyak, Field(discriminator="kind")]
