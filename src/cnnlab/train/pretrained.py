"""Weights to start from: a run's, a file's, or those that a project published for the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.data.whitening import load_whitening
from cnnlab.errors import DataError, UnknownNameError, UsageError
from cnnlab.evaluate.class_match import same_classes
from cnnlab.evaluate.classifier import WEIGHTS, read_config
from cnnlab.evaluate.locate import CONFIG, is_published
from cnnlab.evaluate.pretrained import class_names, fetch_weights
from cnnlab.models.catalog import create_model
from cnnlab.models.layers import Network
from cnnlab.models.official_weights import Weights, find_weights
from cnnlab.models.weights import LoadReport, load_weights
from cnnlab.recipes.recipe import CopyLayers, Recipe
from cnnlab.types import Preprocess

OFFICIAL = "official"  # the published weights of whatever network is trained
FILES = (".safetensors", ".pth", ".pt", ".th")


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
    """

    name: str
    path: Path | None
    model: str | None = None
    preprocess: Preprocess | None = None
    class_names: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def find_source(name: str, model: str | None = None) -> Source:
    """What `--pretrained NAME` means: a run folder or bundle, a file of weights, or published weights.

    `official` stands for the published weights of `model`.

    Raises:
        UnknownNameError: it is none of these.
        UsageError: the folder holds no trained network.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        config = read_config(path)
        load_whitening(config.preprocess, path)
        names = config.labels.names
        return Source(name, path / WEIGHTS, config.architecture, config.preprocess, names, config.options)
    if path.is_file() or (path.suffix in FILES and path.parent != Path()):
        return _published(find_weights(path.name), path) if is_published(path.name) else Source(name, path)
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


def with_options_of(recipe: Recipe, pretrained: str | None) -> Recipe:
    """The recipe with the options (widths, shortcuts …) of the run that it starts from, if that is the same network.

    Raises:
        UnknownNameError, UsageError: see `find_source`.
    """
    if pretrained is None:
        return recipe
    source = find_source(pretrained, recipe.model)
    if source.model != recipe.model or not source.options:
        return recipe
    return replace(recipe, model_options={**recipe.model_options, **source.options})


def _published(found: Weights, path: Path | None) -> Source:
    """Published weights; a file with "background" before its classes has no head that could be kept."""
    names = class_names(found)
    kept = names if len(names) == found.classes else ()
    return Source(found.name, path, found.name, found.preprocess, kept)


def load_pretrained(
    network: Network, model: str, source: Source, classes: Sequence[str], copy: CopyLayers | None = None
) -> str:
    """Start `network`, which is a `model`, from `source`; its last layer only where the classes are the same.

    Where `copy` names layers of the kind of network that `source` is, only these are copied.

    Returns:
        What was loaded and what was not, in a sentence or two.

    Raises:
        DataError: the weights do not fit; the message says how.
        UsageError: the source is another network.
    """
    path = source.path or fetch_weights(find_weights(source.name))
    if copy is not None and source.model == copy.model != model:
        return _copy_layers(network, source, path, copy)
    if source.model not in (None, model):
        raise UsageError(
            f"{source.name} holds a {source.model}, and this run trains a {model}; add --model {source.model}, "
            "or leave --pretrained out"
        )
    if source.class_names is not None:
        same = same_classes(source.class_names, classes)
        return _account(source, load_weights(network, path, drop_head=not same), classes)
    return _account(source, _load_what_fits(network, path), classes)


def _load_what_fits(network: Network, path: Path) -> LoadReport:
    """Load a file that does not name its classes: with its last layer if that has as many, else without."""
    try:
        return load_weights(network, path)
    except DataError as error:
        try:
            return load_weights(network, path, drop_head=True)
        except DataError:
            raise error from None


def _account(source: Source, report: LoadReport, class_names: Sequence[str]) -> str:
    new = [name for name in report.kept if not name.endswith("num_batches_tracked")]
    said = f"starts from the weights of {source.name}"
    if new:
        layers = ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in new))
        said += f", all but {layers}, which starts anew for the {len(class_names)} classes"
    if source.preprocess is not None:
        said += "; images are normalised as there"
    return "; ".join((said, *report.found))


def _copy_layers(network: Network, source: Source, path: Path, copy: CopyLayers) -> str:
    classes = len(source.class_names) if source.class_names is not None else 1000
    other = create_model(copy.model, num_classes=classes, in_channels=network.in_channels, **source.options)
    load_weights(other, path)
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
