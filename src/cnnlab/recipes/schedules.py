"""Learning-rate schedules, each a factor on the optimizer's lr, and what comes before them: warm-up.

Steps and epochs are the recipe's own; a run that is made shorter or longer (`--epochs`, `--minutes`)
stretches the schedule with it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from cnnlab.errors import UsageError
from cnnlab.recipes.values import STRICT, BelowOne, Count, Fraction, NotNegative, Positive


@dataclass(frozen=True, config=STRICT)
class Constant:
    """The optimizer's learning rate throughout (Caffe's `fixed`)."""

    kind: Literal["constant"] = "constant"


@dataclass(frozen=True, config=STRICT)
class Step:
    """Times `factor` after every `every_steps` steps, or every `every_epochs` epochs (Caffe's `step`)."""

    every_steps: Count | None = None
    every_epochs: Positive | None = None
    factor: Positive = 0.1
    kind: Literal["step"] = "step"

    def __post_init__(self) -> None:
        """Refuse anything but one of the two."""
        _exactly_one("schedule step", every_steps=self.every_steps, every_epochs=self.every_epochs)


@dataclass(frozen=True, config=STRICT)
class MultiStep:
    """Times `factor` at each of `at_steps`, or of `at_epochs` (Caffe's `multistep`)."""

    at_steps: tuple[Count, ...] = ()
    at_epochs: tuple[Positive, ...] = ()
    factor: Positive = 0.1
    kind: Literal["multistep"] = "multistep"

    def __post_init__(self) -> None:
        """Refuse places that do not rise, and anything but one of the two."""
        _exactly_one("schedule multistep", at_steps=self.at_steps, at_epochs=self.at_epochs)
        _rising("at_steps", self.at_steps)
        _rising("at_epochs", self.at_epochs)


@dataclass(frozen=True, config=STRICT)
class Pieces:
    """The learning rate times 1 at first, then times `factors[i]` from `at_epochs[i]` on."""

    at_epochs: tuple[Positive, ...]
    factors: tuple[NotNegative, ...]
    kind: Literal["pieces"] = "pieces"

    def __post_init__(self) -> None:
        """Refuse places that do not rise, or another number of factors."""
        _rising("at_epochs", self.at_epochs)
        if len(self.at_epochs) != len(self.factors):
            raise UsageError(
                f"schedule pieces has {len(self.at_epochs)} at_epochs and {len(self.factors)} factors; give one factor "
                "for each place"
            )


@dataclass(frozen=True, config=STRICT)
class Exponential:
    """Times `factor` after every step (Caffe's `exp`: lr * gamma ^ i)."""

    factor: Positive
    kind: Literal["exponential"] = "exponential"


@dataclass(frozen=True, config=STRICT)
class Inverse:
    """(1 + gamma * step) ^ -power (Caffe's `inv`)."""

    gamma: Positive
    power: Positive
    kind: Literal["inverse"] = "inverse"


@dataclass(frozen=True, config=STRICT)
class Polynomial:
    """(1 - step / all steps) ^ power (Caffe's `poly`)."""

    power: Positive
    kind: Literal["polynomial"] = "polynomial"


@dataclass(frozen=True, config=STRICT)
class Sigmoid:
    """1 / (1 + exp(-gamma * (step - at_step))); falls where `gamma` is below 0 (Caffe's `sigmoid`)."""

    gamma: float
    at_step: Count
    kind: Literal["sigmoid"] = "sigmoid"


@dataclass(frozen=True, config=STRICT)
class Cosine:
    """Half a cosine from 1 down to `final_factor` (Loshchilov & Hutter 2017, one cycle)."""

    final_factor: Fraction = 0.0
    kind: Literal["cosine"] = "cosine"


@dataclass(frozen=True, config=STRICT)
class OneCycle:
    """Straight up from `start_factor` to 1 at `peak_at`, then straight down to `final_factor`.

    `peak_at` is a share of the whole training. Smith & Topin 2018, with straight lines.
    """

    peak_at: Fraction
    start_factor: Fraction = 0.0
    final_factor: Fraction = 0.0
    kind: Literal["onecycle"] = "onecycle"


@dataclass(frozen=True, config=STRICT)
class Plateau:
    """Times `factor` each time the validation error has not improved for `patience_epochs` epochs.

    At most `drops` times (None: no end).
    """

    factor: BelowOne = 0.5
    patience_epochs: Count = 5
    drops: Count | None = None
    kind: Literal["plateau"] = "plateau"


Schedule = Annotated[
    Constant | Step | MultiStep | Pieces | Exponential | Inverse | Polynomial | Sigmoid | Cosine | OneCycle | Plateau,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, config=STRICT)
class WarmupUntilError:
    """`factor` times the learning rate until the training error of 20 steps in a row is below `error`.

    He et al. 2015, section 4.2: ResNet-110 starts at 0.01 until the training error is below 80%.
    """

    error: Fraction = 0.8
    factor: Positive = 0.1
    kind: Literal["until_error"] = "until_error"


@dataclass(frozen=True, config=STRICT)
class LinearWarmup:
    """From `start_factor` of the schedule's learning rate straight up to all of it in `epochs` (Goyal et al. 2017).

    With `steps` in place of `epochs`, in so many steps.
    """

    epochs: Positive | None = None
    steps: Count | None = None
    start_factor: Fraction = 0.0
    kind: Literal["linear"] = "linear"

    def __post_init__(self) -> None:
        """Refuse anything but one of the two."""
        _exactly_one("warmup linear", epochs=self.epochs, steps=self.steps)


@dataclass(frozen=True, config=STRICT)
class ConstantWarmup:
    """`factor` times the schedule's learning rate for the first `steps` steps."""

    steps: Count
    factor: Positive = 0.1
    kind: Literal["constant"] = "constant"


Warmup = Annotated[WarmupUntilError | LinearWarmup | ConstantWarmup, Field(discriminator="kind")]


def _exactly_one(what: str, **choices: object) -> None:
    if sum(bool(value) for value in choices.values()) != 1:
        seen = " and ".join(f"{name}={value}" for name, value in choices.items())
        raise UsageError(f"{what} needs exactly one of {' and '.join(choices)}; it has {seen}")


def _rising(name: str, places: tuple[float, ...]) -> None:
    if list(places) != sorted(set(places)):
        raise UsageError(f"{name} must rise; seen {places}")
