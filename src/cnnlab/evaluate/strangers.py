"""A file of weights, or a hub folder of timm, as a network that can be used: which one, and how it saw its images.

A file says neither. The network is found by its entries; where several fit, it is asked for, or tried on labelled
images (`trial`). The preprocessing comes with published files, by their SHA-256, and with a hub folder; else it is
assumed by the size of the network's images, which is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnnlab.data.folder import open_whole
from cnnlab.data.named import is_name, locate
from cnnlab.data.sources import load as load_data
from cnnlab.errors import DataError, UsageError, command
from cnnlab.evaluate.classifier import Classifier, Config
from cnnlab.evaluate.pretrained import class_names, drop_background, imagenet_names
from cnnlab.models.catalog import require_model
from cnnlab.models.device import place_network, resolve_device
from cnnlab.models.layers import Network
from cnnlab.models.lookalikes import looks_like
from cnnlab.models.official_weights import (
    CIFAR_MEAN,
    CIFAR_STD,
    CROP_224,
    CROP_299_HALF,
    MEAN,
    STD,
    Weights,
    find_by_sha256,
)
from cnnlab.models.prefixes import fronts_of
from cnnlab.models.recognise import Candidate, fit, recognise
from cnnlab.models.twins import with_twins
from cnnlab.models.weight_files import WeightsFile, Which
from cnnlab.models.weight_names import head_name
from cnnlab.models.weights import load_weights, some
from cnnlab.types import Interpolation, Labels, Preprocess

MNIST_MEAN, MNIST_STD = (0.1307,), (0.3081,)
HARMLESS = {"num_classes", "in_chans", "drop_rate", "drop_path_rate", "pretrained"}  # of timm's model_args
FEW_FRONTS = 4  # beginnings of names, one of which may be a whole network
HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Known:
    """What the user says of a file, all of it optional.

    Attributes:
        model: the network of the catalogue that it is of.
        options: of that network's builder, which a file does not show.
        mean: subtracted from each channel, in [0, 1] units; `std` divides the rest.
        std: see `mean`.
        names: of the classes, in the order of the outputs.
        which: of several weights in the file.
    """

    model: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    names: tuple[str, ...] | None = None
    which: Which = field(default_factory=Which)


def open_file(path: Path, known: Known | None = None, *, device: str = "auto") -> tuple[Classifier, tuple[str, ...]]:
    """The network in a file of weights, and what was found and assumed of it, one sentence each.

    Raises:
        DataError: the file is refused, or does not fit the network that was named.
        UsageError: it fits several networks, or none, and none was named.
    """
    known = known or Known()
    weights = known.which.read(path)
    published = find_by_sha256(weights.sha256)
    candidate = the_candidate(weights, known, published)
    preprocess, assumed = preprocessing(candidate, known, published)
    classifier, said = build(weights, candidate, preprocess, known, published, device=device)
    return classifier, (*said, *([assumed] if assumed else []))


def the_candidate(weights: WeightsFile, known: Known, published: Weights | None) -> Candidate:
    """The one network that a file is of.

    Raises:
        DataError: the file does not fit the network that was named.
        UsageError: several networks fit and none was named, or none does.
    """
    if published is not None and known.model in (None, published.name):
        options = {**published.options, **known.options}
        return Candidate(published.name, {**options, "num_classes": published.classes})
    found = candidates(weights, known)
    if known.model is not None or len(found) == 1:
        return found[0]
    choice = "; ".join(f"--model {each}" + (f" ({each.what})" if each.what else "") for each in found)
    raise UsageError(
        f"{weights.path} fits {len(found)} networks, which have the same entries and compute other things: {choice}. "
        f"Say which, or let labelled images tell: "
        f"{command('checkpoint', 'info', weights.path, *known.which.flags(), '--try', 'DATA')}"
    )


def candidates(weights: WeightsFile, known: Known) -> list[Candidate]:
    """The networks that a file may be of: the one that was named, or all that fit it, twins among them.

    Raises:
        DataError: the file does not fit the network that was named.
        UsageError: no network of the catalogue fits.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
    if known.model is not None:
        require_model(known.model)
        candidate = fit(known.model, shapes, known.options)
        if candidate is None:
            raise DataError(_why_not(weights, Candidate(known.model, known.options)))
        return [candidate]
    if found := with_twins(recognise(shapes)):
        return found
    alike = looks_like(shapes)
    hint = f"; it looks most like {' or '.join(alike)}: --model {alike[0]} says what differs" if alike else ""
    if not hint and len({name.partition(".")[0] for name in shapes}) <= FEW_FRONTS:
        hint = f"; its names begin with {fronts_of(shapes)}: where one of these is the network, --key NAME takes it"
    raise UsageError(f"{weights.path} fits no network of the catalogue{hint}; see docs/weights.md for what is known")


def _why_not(weights: WeightsFile, candidate: Candidate) -> str:
    """Why a file does not fit the network that was named: its last layer, or what loading the rest says by itself."""
    network = candidate.create()
    held = load_weights(network, weights, drop_head=True).left_out
    last = f"holds {some(held)} there" if held else "has none"
    start = command("train", "DATA", "--model", candidate.model, "--pretrained", weights.path)
    return (
        f"{weights.path} fits {candidate} but for the last layer, {head_name(network)}: the file {last}, so it cannot "
        f"answer; it can start a training: {start}"
    )


def build(
    weights: WeightsFile,
    candidate: Candidate,
    preprocess: Preprocess,
    known: Known,
    published: Weights | None = None,
    *,
    device: str = "auto",
) -> tuple[Classifier, tuple[str, ...]]:
    """The classifier of a candidate with a file's weights, and what loading them said.

    Raises:
        DataError: the file does not fit.
        UsageError: there are not as many names as classes.
    """
    network, path = candidate.create(), weights.path
    report = load_weights(network, weights)
    names = known.names or names_of(network, published)
    if published is not None:
        drop_background(network, len(names))
    if len(names) != network.num_classes:
        raise UsageError(f"{path} tells {network.num_classes} classes apart; {len(names)} names were given")
    place = resolve_device(device)
    config = Config(
        architecture=candidate.model,
        num_classes=network.num_classes,
        in_channels=network.in_channels,
        preprocess=preprocess,
        labels=Labels(names),
        protocol="center",
        options=candidate.own_options(),
    )
    said = [f"{path} is taken for {candidate}" + (f" ({candidate.what})" if candidate.what else "")]
    said += [f"published as {published.filename}"] if published is not None else []
    said += [*report.found, *([report.adapted] if report.adapted else [])]
    said += [f"it may as well be {each}" for each in report.twins if published is None]
    return Classifier(place_network(network, place).eval(), config, place), tuple(said)


def names_of(network: Network, published: Weights | None) -> tuple[str, ...]:
    """The names of the classes where they are known, ImageNet's for 1000 of them, else `class 0` and on."""
    if published is not None:
        return class_names(published)
    return imagenet_names() if network.num_classes == 1000 else placeholders(network.num_classes)


def placeholders(count: int) -> tuple[str, ...]:
    """Names for classes that nobody named."""
    return tuple(f"class {number}" for number in range(count))


def preprocessing(candidate: Candidate, known: Known, published: Weights | None) -> tuple[Preprocess, str]:
    """How a network saw its images, and what of it is assumed, in a sentence; empty where nothing is.

    Raises:
        UsageError: mean and std are not given together, or for another number of channels.
    """
    if (known.mean is None) != (known.std is None):
        raise UsageError("--mean and --std belong together; give both, in units of 0 to 1")
    usual = published.preprocess if published is not None else assumed_for(candidate)
    channels = int(str(candidate.options.get("in_channels", require_model(candidate.model).in_channels)))
    if known.mean is not None and known.std is not None:
        if {len(known.mean), len(known.std)} != {channels} or min(known.std) <= 0:
            raise UsageError(
                f"--mean {known.mean} and --std {known.std}; this network takes {channels} of each, std above 0"
            )
        return replace(usual, mean=known.mean, std=known.std), ""
    if published is not None:
        return usual, ""
    mean, std = (",".join(f"{each:g}" for each in values) for values in (usual.mean, usual.std))
    return usual, f"assumed, as the file does not say: --mean {mean} --std {std}"


def assumed_for(candidate: Candidate) -> Preprocess:
    """The usual preprocessing of images of the network's size and channels."""
    entry = require_model(candidate.model)
    channels = int(str(candidate.options.get("in_channels", entry.in_channels)))
    if channels == 1:
        padded = entry.pixels - 28 if candidate.options.get("padding") is None else 0
        return Preprocess(None, None, MNIST_MEAN, MNIST_STD, pad_pixels=max(0, padded) // 2)
    if channels != 3:
        return Preprocess(entry.pixels, entry.pixels, (0.5,) * channels, (0.5,) * channels)
    if entry.pixels >= 299:
        return CROP_299_HALF
    if entry.pixels >= 224:
        return replace(CROP_224, crop_pixels=entry.pixels)
    return Preprocess(entry.pixels, entry.pixels, CIFAR_MEAN, CIFAR_STD)


def named_by(classifier: Classifier, data: str, folder: Path | None = None) -> Classifier:
    """The classifier with the class names of `data`, where it has none of its own and as many classes.

    Raises:
        UsageError: the numbers of classes differ.
    """
    count = classifier.config.num_classes
    if classifier.config.labels.names != placeholders(count):
        return classifier
    names = _names_in(data, folder)
    if len(names) != count:
        raise UsageError(f"the network tells {count} classes apart, and {data} has {len(names)}: another data set?")
    return replace(classifier, config=replace(classifier.config, labels=Labels(tuple(names))))


def _names_in(data: str, folder: Path | None) -> Sequence[str]:
    if is_name(data):
        return load_data(data, folder=folder, photos=True).class_names
    path, manifest = locate(data)
    return open_whole(path, manifest=manifest).class_names


# -- a hub folder of timm --------------------------------------------------------------------------------------


def open_hub_folder(
    folder: Path, known: Known | None = None, *, device: str = "auto"
) -> tuple[Classifier, tuple[str, ...]]:
    """The network in a hub folder of timm, with the preprocessing and the class names that its config.json has.

    Raises:
        DataError: there are no weights, or the config is not timm's.
        UsageError: the catalogue has no such network.
    """
    read = json.loads((folder / "config.json").read_bytes())
    path = next((folder / name for name in HUB_WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{folder} has a config.json of timm and no weights; expected {' or '.join(HUB_WEIGHTS)}")
    known = known or Known()
    weights = known.which.read(path)
    candidate = _hub_candidate(folder, read, candidates(weights, known), known)
    preprocess, assumed = _hub_preprocess(read, candidate, folder)
    given, _ = preprocessing(candidate, known, None)
    preprocess = given if known.mean is not None else preprocess
    labels = read.get("label_names") or _config(read).get("label_names")
    if known.names is None and isinstance(labels, list) and all(isinstance(each, str) for each in labels):
        known = replace(known, names=tuple(labels))
    classifier, said = build(weights, candidate, preprocess, known, device=device)
    return classifier, (*said, assumed)


def _hub_candidate(folder: Path, read: Mapping[str, Any], found: Sequence[Candidate], known: Known) -> Candidate:
    """The network of a hub folder: the one that was named, or the one that its config.json names.

    Raises:
        UsageError: timm's network is none of those that the weights fit, though it may have the same entries, or it
            was made with options that ours has not.
    """
    architecture, given = str(read["architecture"]), read.get("model_args")
    odd = sorted(set(given) - HARMLESS) if isinstance(given, dict) else []
    named = [each for each in found if known.model is not None or each.model == architecture]
    if named and (not odd or known.model is not None):
        return named[0]
    if named:
        raise UsageError(
            f"{folder} is of timm's {architecture} with {', '.join(odd)[:200]}, which the {named[0]} here has not; "
            f"--model {named[0]} takes it without"
        )
    fits = " or ".join(f"--model {each}" for each in found)
    raise UsageError(
        f"{folder} is of timm's {architecture[:100]!a}, which is not in the catalogue; its weights fit other networks, "
        f"which may compute something else: {fits} takes it for one of these"
    )


def _config(read: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = read.get("pretrained_cfg")
    return nested if isinstance(nested, dict) else read


def _hub_preprocess(read: Mapping[str, Any], candidate: Candidate, folder: Path) -> tuple[Preprocess, str]:
    config, usual = _config(read), assumed_for(candidate)
    try:
        mean = tuple(float(each) for each in config.get("mean", MEAN))
        std = tuple(float(each) for each in config.get("std", STD))
        pixels = int(config.get("input_size", (3, usual.crop_pixels, usual.crop_pixels))[-1])
        share = float(config.get("crop_pct") or 0.875)
        interpolation = Interpolation(str(config.get("interpolation", "bilinear")))
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise DataError(f"{folder / 'config.json'}: its preprocessing cannot be read ({error})") from None
    if not 0 < share <= 1 or not 1 <= pixels <= 4096 or len(mean) != len(std) or min(std) <= 0:
        raise DataError(f"{folder / 'config.json'}: its preprocessing cannot be: {pixels} pixels, crop_pct {share}")
    side = int(pixels / share)  # rounded down, as timm does
    said = f"preprocessing as its config.json says: {side} pixels, of which {pixels}, {interpolation}"
    return Preprocess(side, pixels, mean, std, interpolation), said
