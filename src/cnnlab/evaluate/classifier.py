"""A trained network with what belongs to it: preprocessing, class names, and the folder it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from cnnlab.data.damage import Damaged
from cnnlab.data.decode import decode_file
from cnnlab.data.parts import Part
from cnnlab.data.whitening import load_whitening, save_whitening
from cnnlab.errors import CheckpointError, ImageError, UsageError, command, reason_of, value_problem
from cnnlab.evaluate.locate import CONFIG, require_trained
from cnnlab.evaluate.predict import answer_images, predict_part
from cnnlab.evaluate.protocols import Pixels, get_protocol
from cnnlab.models.catalog import create_model, require_model
from cnnlab.models.device import place_network, resolve_device
from cnnlab.models.fold import fold_norms
from cnnlab.models.layers import Network
from cnnlab.models.pack import pack_filters
from cnnlab.models.precision import Precision, resolve_precision
from cnnlab.types import Labels, PrecisionName, Prediction, Preprocess

WEIGHTS = "model.safetensors"
TEST_READS = "test_reads.jsonl"
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
    options: dict[str, Any] = field(default_factory=dict)  # of the network's builder
    precision: PrecisionName = "fp32"  # that it is tested in, and answers in

    def build(self) -> Network:
        """The network, with weights of its own; raises `UsageError` where the options make none."""
        counts = {"num_classes": self.num_classes, "in_channels": self.in_channels}
        if known := next((name for name in counts if name in self.options), None):
            raise UsageError(f"{known} is among the options of {self.architecture}; it is given beside them")
        try:
            return create_model(self.architecture, **counts, **self.options)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"options {self.options} make no {self.architecture} ({error})"[:500]) from None


@dataclass(frozen=True)
class Classifier:
    """A network ready to be used, on its device."""

    network: Network
    config: Config
    device: torch.device
    folder: Path | None = None

    @property
    def precision(self) -> Precision:
        """The number format in which it answers on its device; raises `UsageError` where that has none such."""
        return resolve_precision(self.config.precision, self.device)

    def optimised(self) -> Classifier:
        """The same classifier, made to answer faster: norms folded into convolutions, filters packed for the CPU.

        (Packed filters are float32: where the CPU answers in bfloat16, they stay as they are.)

        Its answers are equal but for rounding; its weights must not change any more. This takes a forward pass.
        """
        pixels = self.config.preprocess.crop_pixels
        sizes = (pixels, pixels) if pixels else require_model(self.config.architecture).sizes
        network = place_network(fold_norms(self.network, sizes), self.device).requires_grad_(False)
        if self.device.type == "cpu" and self.precision.half is None:
            pack_filters(network)
        return replace(self, network=network)

    def predict(self, paths: Sequence[str | Path], top: int = 5) -> list[Prediction]:
        """The `top` classes of each image file, most probable first, by the run's own test protocol.

        Raises:
            ImageError: a file cannot be read as an image.
        """
        found = []
        for prediction in self.predict_files(paths, top):
            if isinstance(prediction, ImageError):
                raise prediction
            found.append(prediction)
        return found

    def predict_files(
        self, paths: Sequence[str | Path], top: int = 5, damaged: Damaged | None = None
    ) -> list[Prediction | ImageError]:
        """As `predict`, with the reason in place of the answer for a file that cannot be read.

        Files are decoded ahead in threads, and answered in batches; those that are damaged, but can be read, are added
        to `damaged`.
        """
        answers: dict[int, Prediction | ImageError] = {}
        rule = get_protocol(self.config.protocol)

        def read(index: int) -> Pixels:
            return decode_file(Path(paths[index]), damaged=damaged)

        with self.precision.autocast():
            found = answer_images(self.network, read, len(paths), rule, self.config.preprocess, self.device)
            for index, answer in found:
                path = str(paths[index])
                answers[index] = answer if isinstance(answer, ImageError) else self._name(path, answer, top)
        return [answers[index] for index in range(len(paths))]

    def _name(self, path: str, probabilities: Tensor, top: int) -> Prediction:
        names = self.config.labels.names
        values, places = probabilities.topk(min(top, len(names)))
        return Prediction(path, tuple(names[place] for place in places.tolist()), tuple(values.tolist()))

    def probabilities(self, images: Tensor) -> Tensor:
        """Probabilities (N, K) for original images uint8 (N, C, H, W), by the run's own test protocol."""
        part = Part(images, torch.zeros(len(images), dtype=torch.int64))
        rule = get_protocol(self.config.protocol)
        with self.precision.autocast():
            return predict_part(self.network, part, rule, self.config.preprocess, self.device, max_bad=0).probabilities


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
            f"{folder} does not say what it was trained on; name the data: {command('eval', folder, 'DATA')}"
        ) from None


def record_test_read(folder: Path, protocol: str, images: int, why: str) -> None:
    """Append a reading of the test part to the run folder's `test_reads.jsonl`: when, by which protocol, why."""
    read = {"time": datetime.now(UTC).isoformat(), "protocol": protocol, "images": images, "why": why}
    with (folder / TEST_READS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(read) + "\n")


def save(folder: Path, network: Network, config: Config) -> None:
    """Write `model.safetensors` and `config.json` into `folder`, each aside first and then renamed.

    A whitening that belongs to the preprocessing goes beside them.
    """
    data = save_tensors({name: value.cpu().contiguous() for name, value in network.state_dict().items()})
    config = replace(config, weights_sha256=sha256(data).hexdigest())
    save_whitening(config.preprocess, folder)
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
    require_trained(folder)
    try:
        config = TypeAdapter(Config).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} does not describe a network: {value_problem(error.errors()[0])}") from None
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
        DataError: the whitening that belongs to the preprocessing is damaged or missing.
    """
    folder = Path(folder)
    config = read_config(folder)
    load_whitening(config.preprocess, folder)
    network = config.build()
    network.load_state_dict(_read_weights(folder / WEIGHTS, config, network))
    place = resolve_device(device)
    return Classifier(place_network(network, place).eval(), config, place, folder)


def _read_weights(path: Path, config: Config, network: Network) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        weights = load_tensors(data)
    except OSError as error:
        raise CheckpointError(f"the weights {path} cannot be read: {reason_of(error)}; copy the whole folder") from None
    except SafetensorError as error:
        raise CheckpointError(f"the weights {path} are damaged ({error}); train or copy them again") from None
    if sha256(data).hexdigest() != config.weights_sha256:
        raise CheckpointError(f"{path} was altered: its SHA-256 is not the one in {CONFIG}; train or copy it again")
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise CheckpointError(f"{path} holds other weights than {config.architecture} has; was {CONFIG} changed?")
    return weights
