"""A trained network with what belongs to it: preprocessing, class names, and the folder it came from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from cnnlab.data.decode import decode_file
from cnnlab.data.loader import eval_batches
from cnnlab.data.parts import Part
from cnnlab.data.preprocess import normalise, prepare
from cnnlab.data.sources import load as load_data
from cnnlab.errors import CheckpointError, DataError, UsageError, unknown_name
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_hits
from cnnlab.evaluate.predict import predict_probabilities
from cnnlab.evaluate.protocols import get_protocol
from cnnlab.models.catalog import create_model
from cnnlab.models.device import place_network, resolve_device
from cnnlab.models.layers import Network
from cnnlab.types import Labels, Prediction, Preprocess, Split

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TEST_READS = "test_reads.jsonl"
BATCH = 500
DEFAULT_PIXELS = 64  # the side of a folder's images where the network does not say


@dataclass(frozen=True)
class Config:
    """What rebuilds a network around its weights: `config.json` of a run folder or a bundle."""

    architecture: str
    num_classes: int
    in_channels: int
    preprocess: Preprocess
    labels: Labels
    protocol: str
    weights_sha256: str = ""


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one test: shares in [0, 1], the 95% interval of top1, seconds of the whole pass."""

    protocol: str
    views: int
    images: int
    top1: float
    top5: float
    loss: float
    interval95: tuple[float, float]
    seconds: float


@dataclass(frozen=True)
class Classifier:
    """A network ready to be used, on its device."""

    network: Network
    config: Config
    device: torch.device
    folder: Path | None = None

    def predict(self, paths: Sequence[str | Path], top: int = 5) -> list[Prediction]:
        """The `top` classes of each image file, most probable first.

        Raises:
            ImageError: a file cannot be read as an image.
        """
        return [self._predict_one(Path(path), top) for path in paths]

    def _predict_one(self, path: Path, top: int) -> Prediction:
        image = torch.from_numpy(prepare(decode_file(path), self.config.preprocess))
        names = self.config.labels.names
        values, places = self.probabilities(image[None])[0].topk(min(top, len(names)))
        return Prediction(str(path), tuple(names[place] for place in places.tolist()), tuple(values.tolist()))

    def probabilities(self, images: Tensor) -> Tensor:
        """Probabilities (N, K) for images uint8 (N, C, H, W), by the run's own test protocol."""
        batch = normalise(images.to(self.device), self.config.preprocess)
        empty = torch.empty(len(images), dtype=torch.int64)
        return predict_probabilities(self.network, [(batch, empty)], get_protocol(self.config.protocol))[0]


def evaluate(
    classifier: Classifier, part: Part, *, protocol: str | None = None, split: Split = Split.TEST, why: str = "asked"
) -> Evaluation:
    """Test `classifier` on a part of a data set by `protocol` (None: the run's own).

    Reading the test part is recorded in the run folder's `test_reads.jsonl`, with `why`.
    """
    started = time.perf_counter()
    rule = get_protocol(protocol or classifier.config.protocol)
    preprocess = classifier.config.preprocess
    batches = ((b.images, b.labels) for b in eval_batches(part, BATCH, preprocess, classifier.device))
    probabilities, labels = predict_probabilities(classifier.network, batches, rule)
    hits = int(top_k_hits(probabilities, labels).sum())
    if split is Split.TEST and classifier.folder is not None:
        _record_test_read(classifier.folder, rule.name, len(labels), why)
    return Evaluation(
        protocol=rule.name,
        views=len(rule.views),
        images=len(labels),
        top1=hits / max(1, len(labels)),
        top5=float(top_k_hits(probabilities, labels, 5).float().mean()),
        loss=negative_log_likelihood(probabilities, labels),
        interval95=wilson(hits, len(labels)),
        seconds=time.perf_counter() - started,
    )


def evaluate_on(
    classifier: Classifier,
    data: str,
    *,
    folder: Path | None = None,
    protocol: str | None = None,
    split: str | Split = Split.TEST,
) -> Evaluation:
    """Load a split of `data` as the classifier's input wants it, and test on it.

    Raises:
        UsageError: the classes or channels are not those the network was trained for, or the split is unknown.
        DataError: the data cannot be used, or has no such split.
    """
    if split not in list(Split):
        raise unknown_name("split", split, list(Split))
    parts = load_data(data, folder=folder, pixels=classifier.config.preprocess.crop_pixels or DEFAULT_PIXELS)
    part: Part | None = getattr(parts, split)
    if part is None or len(part) == 0:
        raise DataError(f"{data} has no {split} part; it has {len(parts.train)} images to train on; try --split val")
    if parts.class_names != classifier.config.labels.names:
        raise UsageError(
            f"the network was trained for the classes {', '.join(classifier.config.labels.names)}; "
            f"{data} has {', '.join(parts.class_names)}"
        )
    return evaluate(classifier, part, protocol=protocol, split=Split(split), why=f"cnnlab eval {data}")


def trained_on(folder: Path) -> str:
    """The data set or folder that a run was trained on, as it was named then.

    Raises:
        UsageError: the folder does not say; a bundle does not.
    """
    path = folder / "settings.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{folder} does not say what it was trained on; name the data: cnnlab eval {folder} DATA"
        ) from None


def _record_test_read(folder: Path, protocol: str, images: int, why: str) -> None:
    read = {"time": datetime.now(UTC).isoformat(), "protocol": protocol, "images": images, "why": why}
    with (folder / TEST_READS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(read) + "\n")


def save(folder: Path, network: Network, config: Config) -> None:
    """Write `model.safetensors` and `config.json` into `folder`, each aside first and then renamed."""
    data = save_tensors({name: value.cpu().contiguous() for name, value in network.state_dict().items()})
    config = replace(config, weights_sha256=sha256(data).hexdigest())
    _write(folder / WEIGHTS, data)
    _write(folder / CONFIG, json.dumps(asdict(config), indent=1).encode())


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(path.name + ".incomplete")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_config(folder: Path) -> Config:
    """The `config.json` of a finished run or a bundle.

    Raises:
        UsageError: there is none, or it does not describe a network.
    """
    path = folder / CONFIG
    if (folder / "recipe.json").is_file() and not path.is_file():
        raise UsageError(f"{folder} is an unfinished run; finish it with: cnnlab train --resume --run {folder}")
    if not path.is_file():
        raise UsageError(f"{folder} holds no trained network (no {CONFIG}); train one: cnnlab train --run {folder}")
    try:
        config = TypeAdapter(Config).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} does not describe a network: {error.errors()[0]['msg']}") from None
    _check_counts(path, config)
    return config


def _check_counts(path: Path, config: Config) -> None:
    counts = {
        "num_classes": (config.num_classes, "class names", len(config.labels.names)),
        "in_channels": (config.in_channels, "mean values", len(config.preprocess.mean)),
        "mean": (len(config.preprocess.mean), "std values", len(config.preprocess.std)),
    }
    for name, (count, others, other) in counts.items():
        if count != other or count < 1:
            raise UsageError(f"{path} contradicts itself: {name} is {count}, with {other} {others}; was it changed?")


def load(folder: str | Path, *, device: str = "auto") -> Classifier:
    """The trained network in a run folder or a bundle, in evaluation mode on `device`.

    Raises:
        UsageError: the folder holds no trained network.
        CheckpointError: the weights are damaged, or do not fit the network that config.json names.
    """
    folder = Path(folder)
    config = read_config(folder)
    network = create_model(config.architecture, num_classes=config.num_classes, in_channels=config.in_channels)
    network.load_state_dict(_read_weights(folder / WEIGHTS, config, network))
    place = resolve_device(device)
    return Classifier(place_network(network, place).eval(), config, place, folder)


def _read_weights(path: Path, config: Config, network: Network) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        weights = load_tensors(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the weights in {path}: {error}") from None
    if sha256(data).hexdigest() != config.weights_sha256:
        raise CheckpointError(f"{path} was altered: its SHA-256 is not the one in {CONFIG}; train or copy it anew")
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise CheckpointError(f"{path} holds other weights than {config.architecture} has; was {CONFIG} changed?")
    return weights
