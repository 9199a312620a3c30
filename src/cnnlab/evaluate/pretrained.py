"""Trained networks by whatever names them: a run, a bundle, or a network whose weights a project publishes.

Published weights are fetched, verified and kept; they come with their own preprocessing and class names.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from torch import nn

from cnnlab.data.cache import cache_folder
from cnnlab.data.cifar10 import CLASS_NAMES
from cnnlab.data.download import Report, download, set_aside
from cnnlab.errors import DataError
from cnnlab.evaluate.classifier import Classifier, Config
from cnnlab.evaluate.classifier import load as load_folder
from cnnlab.evaluate.locate import CONFIG, require_network
from cnnlab.models.catalog import create_model
from cnnlab.models.device import place_network, resolve_device
from cnnlab.models.layers import Network
from cnnlab.models.official_weights import Weights, find_weights
from cnnlab.models.weights import load_weights
from cnnlab.types import Labels

_BLOCK_BYTES = 1 << 20
MAX_CONFIG_BYTES = 4_000_000  # of a hub's config.json, which may name 21,841 classes


def load(source: str | Path, *, device: str = "auto", report: Report | None = None) -> Classifier:
    """The trained network in a run folder or bundle, a file of weights, or published weights by a network's name.

    Args:
        source: a folder or a file; where there is none of that name, a network such as `resnet50` or a published
            file's name. Of a file, preprocessing and class names may be assumed: see `strangers.open_file`.
        device: `auto`, `cpu`, `cuda` …
        report: told of a download's progress in bytes.

    Raises:
        UsageError: the folder holds no trained network, or there is neither a folder nor published weights.
        CheckpointError: the folder's weights are damaged, or do not fit the network that config.json names.
        DataError: published weights cannot be fetched; the message says where to put the file.
    """
    if Path(source).is_file() or (Path(source).is_dir() and is_hub_folder(Path(source))):
        from cnnlab.evaluate.strangers import open_file, open_hub_folder  # they build on this module

        return (open_file if Path(source).is_file() else open_hub_folder)(Path(source), device=device)[0]
    if Path(source).exists():
        return load_folder(source, device=device)
    require_network(source)
    return pretrained(str(source), device=device, report=report)


def is_hub_folder(folder: Path) -> bool:
    """Whether a folder is as timm saves to a hub: a config.json with `architecture` and timm's preprocessing."""
    config = folder / CONFIG
    if not config.is_file() or config.stat().st_size > MAX_CONFIG_BYTES:
        return False
    try:
        read = json.loads(config.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(read, dict) and "architecture" in read and "preprocess" not in read


def pretrained(name: str, *, device: str = "auto", report: Report | None = None) -> Classifier:
    """A network of the catalogue with its published weights, their preprocessing and their class names.

    Args:
        name: of the network (`resnet50`) or of the file (`resnet50-0676ba61.pth`).
        device: `auto`, `cpu`, `cuda` …
        report: told of the download's progress in bytes.

    Raises:
        UnknownNameError: nothing is published for it; the message offers the nearest names.
        DataError: the file cannot be fetched, or is not the published one; the message says where to put it.
    """
    weights = find_weights(name)
    place = resolve_device(device)
    network = create_model(weights.name, num_classes=weights.classes, **weights.options)
    load_weights(network, fetch_weights(weights, report=report))
    labels = Labels(class_names(weights))
    drop_background(network, len(labels.names))
    config = Config(
        architecture=weights.name,
        num_classes=len(labels.names),
        in_channels=network.in_channels,
        preprocess=weights.preprocess,
        labels=labels,
        protocol="center",
        options=dict(weights.options),
    )
    return Classifier(place_network(network, place).eval(), config, place)


def drop_background(network: Network, num_classes: int) -> None:
    """Take the first output off a network that has one more than `num_classes`: TensorFlow's "background"."""
    if network.num_classes == num_classes:
        return
    old = network.classifier
    assert isinstance(old, nn.Linear)
    new = nn.Linear(old.in_features, num_classes)
    new.load_state_dict({"weight": old.weight[1:], "bias": old.bias[1:]})
    network.classifier = new
    network.num_classes = num_classes


def fetch_weights(weights: Weights, *, report: Report | None = None) -> Path:
    """The verified file of published weights: the cached one, torch hub's, or a new download.

    Raises:
        DataError: it cannot be fetched, or its SHA-256 is not the published one; a wrong file is set aside.
    """
    kept = cache_folder() / "weights" / weights.filename
    for path in (kept, torch_hub_folder() / weights.filename):
        if path.is_file() and _matches(path, weights):
            return path
    if kept.is_file():
        set_aside(kept)
    try:
        download(weights.url, kept, report=report)
    except DataError as error:
        raise DataError(f"{error}; without network, put the file here: {kept}") from None
    if not _matches(kept, weights):
        aside = set_aside(kept)
        raise DataError(
            f"what {weights.url} sent is not the published file: its SHA-256 does not begin with "
            f"{weights.sha256_prefix}; kept as {aside}. Try again, or put the right file here: {kept}"
        )
    return kept


def torch_hub_folder() -> Path:
    """Where torchvision keeps the same files: `$TORCH_HOME/hub/checkpoints`, or below the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or cache_folder().parent)
    return Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"


def _matches(path: Path, weights: Weights) -> bool:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest().startswith(weights.sha256_prefix)


def class_names(weights: Weights) -> tuple[str, ...]:
    """The names of the classes that published weights know, in order; "background" is none of them."""
    if weights.trained_on == "cifar10":
        return CLASS_NAMES
    return imagenet_names()


def imagenet_names() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes, in order, as torchvision has them."""
    from torchvision.models import ResNet50_Weights  # 1 s to import, and the only place where it is needed

    return tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])
