"""Weights to start from: a run's, a file's, or those that a project published for the network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.data.division import DIVISION, read_division
from cnnlab.data.known import Known
from cnnlab.data.named import is_name
from cnnlab.data.parts import Parts, photos_of
from cnnlab.data.whitening import load_whitening
from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.evaluate.class_match import same_classes
from cnnlab.evaluate.classifier import WEIGHTS, read_config
from cnnlab.evaluate.locate import CONFIG, WEIGHT_ENDINGS
from cnnlab.evaluate.pretrained import class_names, fetch_weights
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network
from cnnlab.models.official_weights import Weights, find_by_sha256, find_weights
from cnnlab.models.recognise import fit
from cnnlab.models.weight_files import WeightsFile, Which
from cnnlab.models.weights import LoadReport, load_weights
from cnnlab.recipes.recipe import CopyLayers, Recipe
from cnnlab.types import Preprocess, Split

OFFICIAL = "official"  # the published weights of whatever network is trained


@dataclass(frozen=True)
class Source:
    """Trained weights before they are read.

    Attributes:
        name: as the user gave it.
        path: the file of weights, or None for a published one, which is fetched when it is read.
        model: the network they are of; None where a file does not say.
        preprocess: how that network saw its images; None where a file does not say.
        class_names: the classes it was trained for; None where nobody says.
        options: of the network's builder, such as its width.
        trained_on: the published data set that the weights have seen; None where nobody says.
        which: of several weights in a file.
    """

    name: str
    path: Path | None
    model: str | None = None
    preprocess: Preprocess | None = None
    class_names: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    trained_on: str | None = None
    which: Which = field(default_factory=Which)


@dataclass(frozen=True)
class Started:
    """What was loaded and what was not, in a sentence or two; `whole` where the last layer was loaded, too."""

    said: str
    whole: bool


def find_source(name: str, model: str | None = None, which: Which | None = None) -> Source:
    """What `--pretrained NAME` means: a run folder or bundle, a file of weights, or published weights.

    `official` stands for the published weights of `model`; `which` chooses among several weights in a file.

    Raises:
        UnknownNameError: it is none of these.
        UsageError: the folder holds no trained network, or several weights are told apart where there is no file.
    """
    path, which = Path(name).expanduser(), which or Which()
    is_file = path.is_file() or (path.suffix.lower() in WEIGHT_ENDINGS and path.parent != Path() and not path.is_dir())
    if which != Which() and not is_file:
        raise UsageError(f"--key and --ema choose among the weights in a file; {name} holds one network's only")
    if path.is_dir():
        config = read_config(path)
        load_whitening(config.preprocess, path)
        names = config.labels.names
        return Source(name, path / WEIGHTS, config.architecture, config.preprocess, names, config.options)
    if is_file:
        return _file(name, path, model, which)
    if name == OFFICIAL and model is None:
        raise UsageError(
            "--pretrained without a value takes the published weights of --model; name one: --model resnet18"
        )
    try:
        found = find_weights(model if name == OFFICIAL and model else name)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"--pretrained {name!r} is neither a run folder (with {CONFIG}) nor a file of weights; {error}"
        ) from None
    return _published(found, None)


def with_options_of(recipe: Recipe, pretrained: str | None, which: Which | None = None) -> Recipe:
    """The recipe with the options (widths, shortcuts …) of the run that it starts from, if that is the same network.

    Raises:
        UnknownNameError, UsageError: see `find_source`.
    """
    if pretrained is None:
        return recipe
    source = find_source(pretrained, recipe.model, which)
    if source.model != recipe.model or not source.options:
        return recipe
    return replace(recipe, model_options={**recipe.model_options, **source.options})


def _file(name: str, path: Path, model: str | None, which: Which) -> Source:
    """A file, which its SHA-256 may show to be a published one, and its shapes to have options of the network."""
    if not path.is_file():
        return Source(name, path)
    weights = which.read(path)
    if (found := find_by_sha256(weights.sha256)) is not None:
        return replace(_published(found, path), name=name, which=which)
    shapes = {each: tuple(tensor.shape) for each, tensor in weights.tensors.items()}
    candidate = fit(model, shapes) if model is not None else None
    return Source(name, path, options=candidate.own_options() if candidate is not None else {}, which=which)


def _published(found: Weights, path: Path | None) -> Source:
    """Published weights; a file with "background" before its classes has no head that could be kept."""
    names = class_names(found)
    kept = names if len(names) == found.classes else ()
    name = found.name if find_weights(found.name) is found else found.filename
    return Source(name, path, found.name, found.preprocess, kept, found.options, found.trained_on)


def load_pretrained(
    network: Network, model: str, source: Source, classes: Sequence[str], copy: CopyLayers | None = None
) -> Started:
    """Start `network`, which is a `model`, from `source`; its last layer only where the classes are the same.

    Where `copy` names layers of the kind of network that `source` is, only these are copied.

    Raises:
        DataError: the weights do not fit; the message says how.
        UsageError: the source is another network.
    """
    path = source.path or fetch_weights(find_weights(source.name))
    if copy is not None and source.model == copy.model != model:
        return Started(_copy_layers(network, source, path, copy), whole=False)
    if source.model not in (None, model):
        raise UsageError(
            f"{source.name} holds a {source.model}, and this run trains a {model}; add --model {source.model}, "
            "or leave --pretrained out"
        )
    weights = source.which.read(path)
    if source.class_names is not None:
        same = same_classes(source.class_names, classes)
        return _account(source, load_weights(network, weights, drop_head=not same, adapt_channels=True), classes)
    return _account(source, _load_what_fits(network, weights), classes)


def _load_what_fits(network: Network, weights: WeightsFile) -> LoadReport:
    """Load a file that does not name its classes: with its last layer if that has as many, else without."""
    try:
        return load_weights(network, weights, adapt_channels=True)
    except DataError as error:
        try:
            return load_weights(network, weights, drop_head=True, adapt_channels=True)
        except DataError:
            raise error from None


def _account(source: Source, report: LoadReport, class_names: Sequence[str]) -> Started:
    new = [name for name in report.kept if not name.endswith("num_batches_tracked")]
    said = f"starts from the weights of {source.name}"
    if new:
        layers = ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in new))
        said += f", all but {layers}, which starts anew for the {len(class_names)} classes"
    if source.preprocess is not None:
        said += f"; images are normalised as there{_in_numbers(source.preprocess)}"
    elif source.path is not None:
        said += "; the file does not say how its images were normalised: here they are as the recipe says"
    told = [said, *report.found, *([report.adapted] if report.adapted else [])]
    if report.twins and source.trained_on is None and source.class_names is None:
        told.append(f"the file may as well be {' or '.join(report.twins)}")
    return Started("; ".join(told), whole=not new)


def _in_numbers(preprocess: Preprocess) -> str:
    if preprocess.mean_image is not None or preprocess.whitening is not None:
        return ""
    mean, std = (",".join(f"{each:.4g}" for each in values) for values in (preprocess.mean, preprocess.std))
    return f", by mean {mean} and deviation {std}"


def warn_of_seen(source: Source, data: str, class_names: Sequence[str]) -> str | None:
    """What to say of validation images that the weights may have been trained on; None where that cannot be.

    A published set holds its validation images out of its training images, all of which others train on.
    """
    if source.trained_on is not None and source.class_names is not None:
        same = source.trained_on == data or (
            source.trained_on == "imagenet" and same_classes(source.class_names, class_names)
        )
        if not same:
            return None
        return (
            f"these weights were trained on all training images of {source.trained_on}: where the validation images "
            "are among them, validation accuracy is too high; the test images were not seen"
        )
    if source.path is not None and source.class_names is None and is_name(data):
        return (
            f"if the file was trained on all training images of {data}, it has seen the validation images, which are "
            "some of them: validation accuracy is then too high"
        )
    return None


def warn_of_seen_photos(source: Source, parts: Parts) -> str | None:
    """What to say of held-out photos that the run which made the weights trained on; None where there are none."""
    division = None if source.path is None else read_division(source.path.parent)
    if division is None:
        return None
    known, told = Known(division), []
    for called, part in (("validation", parts.val), ("test", parts.test)):
        photos = None if part is None else photos_of(part)
        seen = known.splits(photos).count(Split.TRAIN) if photos is not None else 0
        told += [f"{seen:,} of {len(photos):,} {called} images"] if photos is not None and seen else []
    if not told:
        return None
    return (
        f"{' and '.join(told)} were trained on by {source.name}, so that accuracy on them will be too high; to divide "
        f"the images as it did: --manifest {shlex.quote(str(Path(source.name) / DIVISION))}"
    )


def _copy_layers(network: Network, source: Source, path: Path, copy: CopyLayers) -> str:
    classes = len(source.class_names) if source.class_names is not None else 1000
    other = create_model(copy.model, num_classes=classes, in_channels=network.in_channels, **source.options)
    load_weights(other, source.which.read(path))
    layers = {here: (network.get_submodule(here), other.get_submodule(there)) for here, there in copy.layers}
    copied = [here for here, (ours, theirs) in layers.items() if _copy_layer(ours, theirs)]
    left = [here for here in layers if here not in copied]
    said = f"{len(copied)} layers start as those of the {copy.model} in {source.name}: {', '.join(copied)}"
    return said + (f"; {', '.join(left)} starts anew, for another number of classes" if left else "")


@torch.no_grad()
def _copy_layer(to: nn.Module, source: nn.Module) -> bool:
    """Copy a layer's parameters if all have the same shapes; whether that was so."""
    pairs = list(zip(to.parameters(), source.parameters(), strict=True))
    if any(mine.shape != theirs.shape for mine, theirs in pairs):
        return False
    for mine, theirs in pairs:
        mine.copy_(theirs)
    return True
