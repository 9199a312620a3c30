"""What is made small: the loss of an image, given its logits and its label.

| value                | loss of one image, logits z, label y, K classes                      |
|----------------------|-----------------------------------------------------------------------|
| CrossEntropy         | -log softmax(z)_y                                                     |
| Hinge                | sum over k of max(0, 1 - d_k z_k)^power, d = 1 for y, -1 otherwise    |
| MultiMargin          | sum over j other than y of max(0, margin - z_y + z_j)^power / K       |
| MeanSquaredError     | mean over k of (z_k - t_k)^2, t = 1 for y, 0 otherwise                |
| MeanAbsoluteError    | mean over k of abs(z_k - t_k)                                         |
| MaximumAPosteriori   | -z_y + log(exp(-rubbish) + sum over k of exp(z_k)), z minus distances |
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from cnnlab.recipes.values import STRICT, Positive


@dataclass(frozen=True, config=STRICT)
class CrossEntropy:
    """Minus the logarithm of the right class's softmax probability."""

    kind: Literal["cross_entropy"] = "cross_entropy"


@dataclass(frozen=True, config=STRICT)
class Hinge:
    """Caffe's HingeLoss: every class against the rest, to the first or second power, not divided by K."""

    power: Literal[1, 2] = 1
    kind: Literal["hinge"] = "hinge"


@dataclass(frozen=True, config=STRICT)
class MultiMargin:
    """The right logit above every other one by `margin` (Crammer and Singer 2001; torch's MultiMarginLoss)."""

    margin: Positive = 1.0
    power: Literal[1, 2] = 1
    kind: Literal["multi_margin"] = "multi_margin"


@dataclass(frozen=True, config=STRICT)
class MeanSquaredError:
    """The squared distance of the logits from 1 for the right class and 0 for the others, over K."""

    kind: Literal["mse"] = "mse"


@dataclass(frozen=True, config=STRICT)
class MeanAbsoluteError:
    """The absolute distance of the logits from 1 for the right class and 0 for the others, over K."""

    kind: Literal["mae"] = "mae"


@dataclass(frozen=True, config=STRICT)
class MaximumAPosteriori:
    """LeNet-5's loss for networks whose logits are minus distances (LeCun et al. 1998, equation 9).

    `rubbish` is the paper's constant j, the distance from which on a wrong class is far enough.
    """

    rubbish: Positive
    kind: Literal["map"] = "map"


Loss = Annotated[
    CrossEntropy | Hinge | MultiMargin | MeanSquaredError | MeanAbsoluteError | MaximumAPosteriori,
    Field(discriminator="kind"),
]
