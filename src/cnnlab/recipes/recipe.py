"""What a recipe is: how a paper trained a network and how it tested it, as frozen data.

A recipe is only values: no torch, no functions of a network. `train` turns each value into the
torch object it names, one function each. JSON and back is exact; unknown fields are refused by name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from cnnlab.errors import UsageError, nearest

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


# -- optimizers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Sgd:
    """Stochastic gradient descent with momentum; `weight_decay` times the weight joins the gradient."""

    lr: Positive
    momentum: BelowOne = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 0.0
    kind: Literal["sgd"] = "sgd"


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


Optimizer = Annotated[Sgd | AdamW | Muon, Field(discriminator="kind")]


# -- learning-rate schedules: each a factor on the optimizer's lr ------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Constant:
    """The optimizer's learning rate throughout."""

    kind: Literal["constant"] = "constant"


@dataclass(frozen=True, config=STRICT)
class Step:
    """Times `factor` after every `every_steps` steps (Caffe's `step`)."""

    every_steps: Count
    factor: Positive = 0.1
    kind: Literal["step"] = "step"


@dataclass(frozen=True, config=STRICT)
class MultiStep:
    """Times `factor` at each of `at_steps` (Caffe's `multistep`)."""

    at_steps: tuple[Count, ...]
    factor: Positive = 0.1
    kind: Literal["multistep"] = "multistep"


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
    """Times `factor` each time the validation error has not improved for `patience_epochs` epochs."""

    factor: BelowOne = 0.5
    patience_epochs: Count = 5
    kind: Literal["plateau"] = "plateau"


Schedule = Annotated[Constant | Step | MultiStep | Cosine | OneCycle | Plateau, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class WarmupUntilError:
    """`factor` times the learning rate until an epoch-wide running training error falls below `error`.

    He et al. 2015, section 4.2: ResNet-110 starts at 0.01 until the training error is below 80%.
    """

    error: Fraction = 0.8
    factor: Positive = 0.1


# -- augmentation -------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class PadCrop:
    """Pad every side by `pixels`, then cut the original size at a random place."""

    pixels: Count
    mode: Literal["zero", "reflect"] = "zero"
    kind: Literal["pad_crop"] = "pad_crop"


@dataclass(frozen=True, config=STRICT)
class Flip:
    """Mirror an image left to right with this probability."""

    probability: Fraction = 0.5
    kind: Literal["flip"] = "flip"


@dataclass(frozen=True, config=STRICT)
class AlternatingFlip:
    """Mirror half of the images in the first epoch, and in each later one exactly the others (Jordan 2024)."""

    kind: Literal["alternating_flip"] = "alternating_flip"


Augment = Annotated[PadCrop | Flip | AlternatingFlip, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class Resolution:
    """Train on images resized to `pixels` until this share of the training is over."""

    until: Fraction
    pixels: Count


@dataclass(frozen=True, config=STRICT)
class Ema:
    """Keep an exponential moving average of the weights and test with it.

    The decay holds for steps counted from the start; early on it is lower, (1 + step) / (10 + step).
    """

    decay: BelowOne = 0.999


# -- the recipe ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """One way to train and test one network, with the paper it comes from.

    Exactly one of `steps` (optimizer updates) and `epochs` says how long; a schedule's own numbers
    stretch with it when a run is made shorter or longer. `cpu_minutes` bounds the run where there is
    no GPU. `val_images` are held out of the training part; None takes the data set's own habit.
    """

    name: str
    paper: str
    model: str
    batch_size: Count
    optimizer: Optimizer
    schedule: Schedule
    data: str = "cifar10"
    val_images: Annotated[int, Field(ge=0)] | None = None
    steps: Count | None = None
    epochs: Positive | None = None
    cpu_minutes: Positive | None = None
    warmup: WarmupUntilError | None = None
    augment: tuple[Augment, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    normalisation: Literal["channel", "pixel_mean"] = "channel"
    initialisation: Literal["own", "he_fan_in", "he_fan_out"] = "own"
    label_smoothing: BelowOne = 0.0
    decay_norms_and_biases: bool = True
    average: Ema | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    protocol: Literal["center", "flip", "shift6"] = "center"
    folder_pixels: Count = 64
    expected: str = ""
    differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; the message says what to change."""
        if (self.steps is None) == (self.epochs is None):
            raise UsageError(
                f"recipe {self.name!r} needs exactly one of steps and epochs; "
                f"it has steps={self.steps} and epochs={self.epochs}"
            )
        ends = [resolution.until for resolution in self.resolutions]
        if ends != sorted(set(ends)):
            raise UsageError(f"recipe {self.name!r}: resolutions must end later and later; seen {ends}")
        if isinstance(self.schedule, MultiStep) and list(self.schedule.at_steps) != sorted(set(self.schedule.at_steps)):
            raise UsageError(f"recipe {self.name!r}: at_steps must rise; seen {self.schedule.at_steps}")


_ADAPTER = TypeAdapter(Recipe)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, every field written out."""
    return json.loads(_ADAPTER.dump_json(recipe))  # type: ignore[no-any-return]


def from_dict(values: object) -> Recipe:
    """The recipe these plain values describe.

    Raises:
        UsageError: a field is unknown, missing, of the wrong type, or contradicts another.
    """
    try:
        return _ADAPTER.validate_json(json.dumps(values))
    except ValidationError as error:
        raise UsageError("; ".join(_explain(problem) for problem in error.errors())) from None


def read(path: Path) -> Recipe:
    """The recipe in a JSON file, such as the `recipe.json` of a run folder.

    Raises:
        UsageError: the file is missing, is not JSON, or does not describe a recipe.
    """
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"cannot read a recipe from {path}: {error}") from None


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "recipe"
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        kinds = (Recipe, Sgd, AdamW, Muon, Step, MultiStep, Cosine, OneCycle, Plateau, WarmupUntilError, PadCrop, Flip)
        known = [field.name for kind in (*kinds, Resolution, Ema) for field in dataclasses.fields(kind)]
        close = nearest(str(problem["loc"][-1]), known, 1)
        return f"unknown field {place!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    if problem["type"] == "missing":
        return f"field {place!r} is missing"
    return f"{place}: {problem['msg']}; seen {problem['input']!r}"


# -- settings: --set optimizer.lr=0.05 ------------------------------------------------------------------------


def with_settings(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """The recipe with `field.field=value` settings applied, values read as JSON, else as text.

    Raises:
        UsageError: a setting has no `=`, names an unknown field, or its value does not fit.
    """
    values = to_dict(recipe)
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} has no '='; write it as --set optimizer.lr=0.05")
        _set(values, path.strip(), _value(text.strip()))
    return from_dict(values)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _set(values: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    place = values
    for depth, part in enumerate([*parents, last]):
        if not isinstance(place, dict) or part not in place:
            raise UsageError(_unknown_setting(path, part, place))
        if depth == len(parents):
            place[part] = value
        else:
            place = place[part]
    if last == "steps" and not parents and value is not None:
        values["epochs"] = None
    if last == "epochs" and not parents and value is not None:
        values["steps"] = None


def _unknown_setting(path: str, part: str, place: object) -> str:
    if not isinstance(place, dict):
        return f"no recipe field {path!r}: {part!r} is asked of a plain value, {place!r}"
    close = nearest(part, place, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"no recipe field {path!r}; {hint}known here: {', '.join(place)}"
