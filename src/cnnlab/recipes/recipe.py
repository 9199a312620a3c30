"""What a recipe is: how a paper trained a network and how it tested it, as frozen data.

A recipe is only values: no torch, no functions of a network. `train` turns each value into the
torch object it names, one function each. JSON and back is exact; unknown fields are refused by name.
Every value that a recipe is written with can be imported from here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from cnnlab.errors import UsageError, nearest, offer, reason_of, value_problem
from cnnlab.recipes.augmentation import (
    AlternatingFlip,
    Augment,
    ColourChange,
    Crop,
    Cutmix,
    Cutout,
    Erasing,
    Flip,
    Mixup,
    PadCrop,
    PcaNoise,
    Photometric,
    PixelJitter,
    RandAugment,
    RandomArea,
    Resolution,
    Rotation,
    ScaleJitter,
    TrivialAugment,
)
from cnnlab.recipes.losses import (
    CrossEntropy,
    Hinge,
    Loss,
    MaximumAPosteriori,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiMargin,
)
from cnnlab.recipes.optimizers import (
    CAFFE_BIASES,
    AdamW,
    Average,
    Clip,
    ClipAdaptive,
    ClipNorm,
    Ema,
    Multiply,
    Muon,
    Optimizer,
    Polyak,
    RmsProp,
    Sgd,
)
from cnnlab.recipes.schedules import (
    Constant,
    ConstantWarmup,
    Cosine,
    Exponential,
    Inverse,
    LinearWarmup,
    MultiStep,
    OneCycle,
    Pieces,
    Plateau,
    Polynomial,
    Schedule,
    Sigmoid,
    Step,
    Warmup,
    WarmupUntilError,
)
from cnnlab.recipes.values import STRICT, BelowOne, Count, NotNegative, Positive
from cnnlab.types import PrecisionName

__all__ = [
    "CAFFE_BIASES",
    "AdamW",
    "AlternatingFlip",
    "Augment",
    "Average",
    "Clip",
    "ClipAdaptive",
    "ClipNorm",
    "Constant",
    "ConstantWarmup",
    "CopyLayers",
    "Cosine",
    "Crop",
    "CrossEntropy",
    "Cutmix",
    "Cutout",
    "Ema",
    "Erasing",
    "Exponential",
    "Flip",
    "Hardest",
    "Hinge",
    "Inverse",
    "LinearWarmup",
    "Loss",
    "MaximumAPosteriori",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Mixup",
    "MultiMargin",
    "MultiStep",
    "Multiply",
    "Muon",
    "OneCycle",
    "Optimizer",
    "PadCrop",
    "PcaNoise",
    "Photometric",
    "Pieces",
    "PixelJitter",
    "Plateau",
    "Polyak",
    "Polynomial",
    "RandAugment",
    "RandomArea",
    "Recipe",
    "Resolution",
    "RmsProp",
    "Rotation",
    "ScaleJitter",
    "Schedule",
    "Sgd",
    "Sigmoid",
    "Step",
    "TrivialAugment",
    "Warmup",
    "WarmupUntilError",
    "difference",
    "from_dict",
    "read",
    "to_dict",
    "with_settings",
]

Option = str | int | float | bool | tuple[int, ...] | None
Normalisation = Literal["channel", "pixel_mean", "gcn", "gcn_zca", "imagenet", "mean_255", "half", "unit"]
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
Protocol = Literal[
    "center",
    "flip",
    "shift6",
    "shift18",
    "10crop",
    "12crop",
    "144crop",
    "150crop",
    "320",
    "dense",
    "multiscale",
    "multiscale_fixed",
    "multiscale_resnet",
]


@dataclass(frozen=True, config=STRICT)
class CopyLayers:
    """Start these layers as those of a trained network of another kind: pairs (name here, name there)."""

    model: str
    layers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, config=STRICT)
class Hardest:
    """Train on this share of each batch only: the images with the highest loss in a proxy, a small network beside.

    From `until` on, a share of the training, whole batches are trained on (ours; docs/performance.md). The proxy is
    `model` with `model_options`; it has the recipe's optimizer and schedule, and learns from what it chose of every
    `learns_every`-th batch (Coleman et al. 2019, arXiv:1906.11829, chose once for all; batch by batch and the other
    numbers: Jordan 2024, airbench96_faster).
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    until: Annotated[float, Field(gt=0, le=1)] = 1.0
    model: str = "airnet"
    model_options: dict[str, Option] = Field(default_factory=lambda: dict[str, Option](widths=(32, 64, 64)))
    learns_every: Count = 4


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """One way to train and test one network, with the paper it comes from.

    Exactly one of `steps` (optimizer updates) and `epochs` says how long; a schedule's own numbers
    stretch with it when a run is made shorter or longer. `cpu_minutes` bounds the run where there is
    no GPU. `val_images` are held out of the training part; None takes the data set's own habit.

    `crop` says how a square is cut out of a photo: such a recipe reads its photos from disk, and tests with the
    shorter side at `test_resize_pixels` and squares of `test_crop_pixels`. A recipe without it has its images in
    memory, those of a folder as squares of `folder_pixels`.

    With `hardest` each batch is looked at whole and a share of it trained on; epochs count what was looked at,
    images a second what was trained on.
    `accumulate` computes each batch in so many equal pieces, one after the other; the update is one.
    `aux_weight` is what the loss of each auxiliary head counts. `dropout` of None is the network's own.
    `start` names layers to copy where `--pretrained` gives a trained network of that kind. `gmac` is the cost
    of one view of an image, in thousands of millions of multiply-accumulates, by `cnnlab models`.
    `reasons` say why it is so, where it was chosen for a folder and a network (`choose`).
    `model_options` are the network's own options, such as {"shortcut": "B"} for resnet20.
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
    warmup: Warmup | None = None
    crop: Crop | None = None
    augment: tuple[Augment, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    pad_pixels: Annotated[int, Field(ge=0)] = 0
    normalisation: Normalisation = "channel"
    initialisation: Initialisation = "own"
    initialisation_std: Positive | None = None
    model_options: dict[str, Option] = Field(default_factory=dict)
    start: CopyLayers | None = None
    dropout: BelowOne | None = None
    loss: Loss = CrossEntropy()
    label_smoothing: BelowOne = 0.0
    aux_weight: NotNegative = 0.0
    decay_norms_and_biases: bool = True
    multiply: tuple[Multiply, ...] = ()
    clip: Clip | None = None
    hardest: Hardest | None = None
    accumulate: Count = 1
    average: Average | None = None
    precision: PrecisionName = "auto"
    protocol: Protocol = "center"
    test_resize_pixels: Count | None = None
    test_crop_pixels: Count | None = None
    folder_pixels: Count = 64
    gmac: Positive | None = None
    expected: str = ""
    differences: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def length(self) -> str:
        """How long it trains, in words."""
        return f"{self.steps:,} steps" if self.steps else f"{self.epochs:g} epochs"

    @property
    def batches(self) -> str:
        """What a step is taken on, in words."""
        words = f"batches of {self.batch_size:,}"
        if self.hardest is None:
            return words
        words += f", the hardest {self.trained_images(0.0):,} of each trained on"
        last = 1 - self.hardest.until
        return f"{words}, all in the last {last:.0%}" if last else words

    @property
    def test_precision(self) -> PrecisionName:
        """The number format of validations and of tests: float32, or `native` where the recipe trains in that."""
        return "native" if self.precision == "native" else "fp32"

    def trained_images(self, done: float) -> int:
        """How many images of a batch are trained on when `done`, a share of the training, is over."""
        if self.hardest is None or done >= self.hardest.until:
            return self.batch_size
        return max(1, round(self.hardest.share * self.batch_size))

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; the message says what to change."""
        for wrong, message in _contradictions(self):
            if wrong:
                raise UsageError(f"recipe {self.name!r}: {message}")


def _contradictions(recipe: Recipe) -> Iterable[tuple[bool, str]]:
    """What no recipe may be, each with what to change."""
    loss, ends = recipe.loss.kind, [resolution.until for resolution in recipe.resolutions]
    mixes = [change.kind for change in recipe.augment if isinstance(change, Mixup | Cutmix)]
    resize, crop = recipe.test_resize_pixels, recipe.test_crop_pixels
    yield (
        (recipe.steps is None) == (recipe.epochs is None),
        f"it needs exactly one of steps and epochs; it has steps={recipe.steps} and epochs={recipe.epochs}",
    )
    yield ends != sorted(set(ends)), f"resolutions must end later and later; seen {ends}"
    yield (
        recipe.label_smoothing > 0 and loss != "cross_entropy",
        f"label_smoothing={recipe.label_smoothing} goes with the loss cross_entropy, not with {loss!r}; set it to 0",
    )
    yield (
        bool(mixes) and loss not in ("cross_entropy", "mse", "mae"),
        f"{' and '.join(mixes)} give labels that are shares; the loss {loss!r} takes one class an image; "
        "use cross_entropy, mse or mae",
    )
    colours = [change for change in recipe.augment if isinstance(change, ColourChange)]
    late = [change.kind for change in colours[1:] if isinstance(change, RandAugment | TrivialAugment)]
    yield bool(late), f"{' and '.join(late)} takes whole pixel values and must come before other changes of colour"
    share = f" at hardest.share={recipe.hardest.share:g}" if recipe.hardest else ""
    yield (
        any(recipe.trained_images(done) % recipe.accumulate != 0 for done in (0.0, 1.0)),
        f"batch_size={recipe.batch_size}{share} does not divide into accumulate={recipe.accumulate} equal pieces",
    )
    yield (
        recipe.initialisation_std is not None and recipe.initialisation not in ("gaussian", "truncated_normal"),
        f"initialisation_std={recipe.initialisation_std} goes with gaussian and truncated_normal, not with "
        f"{recipe.initialisation!r}",
    )
    yield (
        isinstance(recipe.schedule, Plateau) and recipe.val_images == 0,
        "the schedule plateau watches the validation error, and val_images=0 leaves nothing to validate on",
    )
    yield (
        isinstance(recipe.schedule, OneCycle) and isinstance(recipe.warmup, LinearWarmup | ConstantWarmup),
        "the schedule onecycle rises by itself; leave warmup out",
    )
    yield (
        (recipe.crop is None) != (resize is None) or (resize is None) != (crop is None),
        "crop, test_resize_pixels and test_crop_pixels belong together, for photos read from disk; "
        f"seen crop={recipe.crop}, test_resize_pixels={resize}, test_crop_pixels={crop}",
    )
    yield (
        resize is not None and crop is not None and resize < crop,
        f"test_crop_pixels={crop} cannot be cut out of test_resize_pixels={resize}",
    )
    measured = ("channel", "pixel_mean", "gcn", "gcn_zca")
    yield (
        recipe.crop is not None and recipe.normalisation in measured,
        f"normalisation {recipe.normalisation!r} is for images of one size in memory; with a crop of photos use "
        "'imagenet' or 'mean_255'",
    )
    yield (
        recipe.pad_pixels > 0 and recipe.normalisation in ("pixel_mean", "gcn", "gcn_zca"),
        f"pad_pixels={recipe.pad_pixels} cannot go with normalisation {recipe.normalisation!r}; use 'channel'",
    )


_ADAPTER = TypeAdapter(Recipe)
_CHOICES = (Optimizer, Schedule, Warmup, Crop, Augment, Loss, Clip, Average)
_VALUES = (
    *(Recipe, CopyLayers, Hardest, Resolution, Multiply),
    *(kind for choice in _CHOICES for kind in get_args(get_args(choice)[0])),
)


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, every field written out."""
    return json.loads(_ADAPTER.dump_json(recipe))  # type: ignore[no-any-return]


def difference(one: Recipe, other: Recipe) -> dict[str, list[Any]]:
    """The fields in which two recipes differ: by name, [value in one, value in the other], as plain JSON values."""
    before, after = to_dict(one), to_dict(other)
    return {name: [before[name], after[name]] for name in before if before[name] != after[name]}


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
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, too long a number
        raise UsageError(f"cannot read a recipe from {path}: {reason_of(error)}") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "recipe"
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = [field.name for kind in _VALUES for field in dataclasses.fields(kind)]
        close = nearest(str(problem["loc"][-1]), known, 1)
        return f"unknown field {place!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    return value_problem(problem)


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
        open_to_more = parents[-1:] == ["model_options"] and depth == len(parents)  # the network knows its own
        if not isinstance(place, dict) or (part not in place and not open_to_more):
            raise UsageError(_unknown_setting(path, part, place))
        if depth == len(parents):
            if path == "model" and value != place[part]:
                values["model_options"] = {}  # another network has other ones
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
    return f"no recipe field {path!r}; {offer(part, place, see='cnnlab recipes modern/cifar10 --json')}"
