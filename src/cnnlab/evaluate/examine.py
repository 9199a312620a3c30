"""How good a trained network is, or several that answer together, on a part of a data set."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.data.parts import Part, Parts
from cnnlab.data.photos import Photos
from cnnlab.data.sources import load as load_data
from cnnlab.errors import CheckpointError, DataError, UsageError, command, unknown_name
from cnnlab.evaluate.classifier import DEFAULT_PIXELS, Classifier, record_test_read
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_accuracy, top_k_hits
from cnnlab.evaluate.predict import Outcome, Predict, macs_per_image, predict_part
from cnnlab.evaluate.protocols import Protocol, get_protocol
from cnnlab.models.device import place_network
from cnnlab.types import Split

SHOWN_CLASSES = 20
IMAGENET_CLASSES = 1000
WORDNET_ID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one test: shares in [0, 1], the 95% interval of top1, seconds of the whole pass.

    `macs` are the multiply-accumulates of all views of one image by all members of an ensemble; `skipped` names the
    images left out, each with its reason.
    """

    protocol: str
    views: int
    images: int
    top1: float
    top5: float
    loss: float
    interval95: tuple[float, float]
    seconds: float
    macs: int = 0
    skipped: tuple[str, ...] = ()


def evaluate(
    classifier: Classifier,
    part: Part | Photos,
    *,
    protocol: str | None = None,
    split: Split = Split.TEST,
    why: str = "asked",
    max_bad: float = 0.01,
) -> Evaluation:
    """Test `classifier` on a part of a data set by `protocol` (None: the run's own).

    Reading the test part is recorded in the run folder's `test_reads.jsonl`, with `why`.

    Raises:
        UsageError: the protocol is unknown, or impossible for the network.
        DataError: more than the share `max_bad` of the images cannot be read.
    """
    return examine([classifier], part, protocol=protocol, split=split, why=why, max_bad=max_bad)[0]


def examine(
    members: Sequence[Classifier],
    part: Part | Photos,
    *,
    protocol: str | None = None,
    split: Split = Split.TEST,
    why: str = "asked",
    max_bad: float = 0.01,
    predict: Predict = predict_part,
) -> tuple[Evaluation, Outcome]:
    """Test an ensemble, whose probabilities are averaged; arguments and errors as for `evaluate`.

    `predict` does as `predict_part` does, in several processes, say. Every member looks at the original
    images with its own preprocessing. None is the first member's protocol.
    """
    started = time.perf_counter()
    rule = get_protocol(protocol or members[0].config.protocol)
    macs = require_protocol(members, rule, part)
    outcomes = []
    for each in members:
        with each.precision.autocast():
            found = predict(each.network, part, rule, each.config.preprocess, each.device, max_bad=max_bad)
        outcomes.append(found)
    outcome = _average(outcomes)
    if split is Split.TEST:
        for folder in dict.fromkeys(each.folder for each in members if each.folder is not None):
            record_test_read(folder, rule.name, len(outcome.labels), why)
    hits = int(top_k_hits(outcome.probabilities, outcome.labels).sum())
    evaluation = Evaluation(
        protocol=rule.name,
        views=len(rule.views),
        images=len(outcome.labels),
        top1=hits / max(1, len(outcome.labels)),
        top5=top_k_accuracy(outcome.probabilities, outcome.labels, 5),
        loss=negative_log_likelihood(outcome.probabilities, outcome.labels),
        interval95=wilson(hits, len(outcome.labels)),
        seconds=time.perf_counter() - started,
        macs=macs,
        skipped=outcome.bad,
    )
    return evaluation, outcome


def require_protocol(members: Sequence[Classifier], rule: Protocol, part: Part | Photos) -> int:
    """The multiply-accumulates of all views of an image by all members; refuses what a member cannot do.

    Raises:
        UsageError: the protocol is impossible for a member's network; no image has been read.
    """
    sizes = tuple(part.images.shape[2:]) if isinstance(part, Part) else None
    macs = 0
    for each in members:
        preprocess = each.config.preprocess
        own = None if preprocess.crop_pixels else sizes
        macs += macs_per_image(each.network, rule, preprocess, each.device, own)
    return macs


def _average(outcomes: Sequence[Outcome]) -> Outcome:
    first = outcomes[0]
    if any(not torch.equal(each.indices, first.indices) for each in outcomes):
        raise DataError("the members of the ensemble could not read the same images; mend or remove the damaged ones")
    return replace(first, probabilities=torch.stack([each.probabilities for each in outcomes]).mean(dim=0))


def with_weights(classifier: Classifier, weights: Mapping[str, Tensor]) -> Classifier:
    """Another classifier like this one, with the weights of a snapshot of its run.

    Raises:
        CheckpointError: the weights are another network's.
    """
    config = classifier.config
    network = config.build()
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise CheckpointError(f"a snapshot of {classifier.folder} holds other weights than {config.architecture} has")
    network.load_state_dict(weights)
    return replace(classifier, network=place_network(network, classifier.device).eval())


# -- on which images ------------------------------------------------------------------------------------------


def evaluate_on(
    classifier: Classifier,
    data: str,
    *,
    folder: Path | None = None,
    protocol: str | None = None,
    split: str | Split = Split.TEST,
    max_bad: float = 0.01,
) -> Evaluation:
    """Test `classifier` on a split of `data`; see `load_for` and `evaluate`."""
    require_split(split)
    part = part_of(load_for([classifier], data, folder=folder, max_bad=max_bad), Split(split), data)
    why = command("eval", data)
    return evaluate(classifier, part, protocol=protocol, split=Split(split), why=why, max_bad=max_bad)


def load_for(members: Sequence[Classifier], data: str, *, folder: Path | None = None, max_bad: float = 0.01) -> Parts:
    """The parts of `data`; the photos of a folder stay on disk, and a run's own data is divided as it was then.

    Raises:
        UsageError: the members do not know the same classes.
        DataError: the data cannot be used, or has other classes than the members; lists them.
    """
    names = members[0].config.labels.names
    for each in members[1:]:
        if each.config.labels.names != names:
            raise UsageError(
                f"an ensemble needs the same classes in the same order; {members[0].folder} has {some_names(names)}; "
                f"{each.folder} has {some_names(each.config.labels.names)}"
            )
    pixels = members[0].config.preprocess.crop_pixels or DEFAULT_PIXELS
    own = _division(members[0].folder, data)
    parts = load_data(
        data,
        folder=folder or own.folder,
        manifest=own.manifest,
        val_images=own.val_images,
        final=own.final,
        pixels=pixels,
        photos=True,
        max_bad=max_bad,
    )
    if not same_classes(names, parts.class_names):
        raise _other_classes(names, parts.class_names, data)
    return parts


def same_classes(known: Sequence[str], found: Sequence[str]) -> bool:
    """Whether two lists name the same classes in the same order; ImageNet's go by several names."""
    return tuple(known) == tuple(found) or _both_are_imagenet(known, found)


def _both_are_imagenet(known: Sequence[str], found: Sequence[str]) -> bool:
    """Whether the thousand classes of ImageNet are meant, which folders call by WordNet ids or by longer words.

    All keep the order of the ids. torchvision's names are the first of the words, with a few exceptions.
    """
    if not len(known) == len(found) == IMAGENET_CLASSES:
        return False
    ids = all(WORDNET_ID.fullmatch(name) for name in found)
    alike = sum(name in words for name, words in zip(known, found, strict=True))
    return (ids and known[0] == "tench") or alike >= 0.9 * IMAGENET_CLASSES


@dataclass(frozen=True)
class _Division:
    """How a run's own data was found and divided."""

    folder: Path | None = None
    manifest: Path | None = None
    val_images: int | None = None
    final: bool = False


def _division(run: Path | None, data: str) -> _Division:
    """The run's own division where `data` is what it was trained on, else none in particular.

    So the validation images of a test are those that training held out.
    """
    if run is None:
        return _Division()
    try:
        settings = json.loads((run / "settings.json").read_text(encoding="utf-8"))
        recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
        if settings["data"] != data:
            return _Division()
        folder, manifest = settings.get("data_folder"), settings.get("manifest")
        return _Division(
            folder=Path(folder) if folder else None,
            manifest=Path(manifest) if manifest else None,
            val_images=recipe.get("val_images") if recipe.get("data") == data else None,
            final=bool(settings.get("final")),
        )
    except (OSError, ValueError, KeyError, TypeError):  # a bundle has no such files
        return _Division()


def _other_classes(known: Sequence[str], found: Sequence[str], data: str) -> DataError:
    missing, strange = sorted(set(known) - set(found)), sorted(set(found) - set(known))
    apart = "; ".join(
        f"{what}: {some_names(names)}" for what, names in (("missing", missing), ("unknown to it", strange)) if names
    )
    return DataError(
        f"the network was trained for the classes {some_names(known)}; {data} has {some_names(found)}; "
        f"{apart or 'they come in another order'}; give data with the same classes"
    )


def some_names(names: Sequence[str]) -> str:
    """The first few names, and how many there are in all where more are left out."""
    more = f", … ({len(names)} in all)" if len(names) > SHOWN_CLASSES else ""
    return ", ".join(names[:SHOWN_CLASSES]) + more


def require_split(split: str) -> None:
    """Refuse, with `UnknownNameError`, a split that is not train, val or test."""
    if split not in list(Split):
        raise unknown_name("split", split, list(Split))


def split_there(parts: Parts) -> Split:
    """The part to test on where none is named: the test part, else the validation part, else the training part."""
    return next((split for split in (Split.TEST, Split.VAL) if getattr(parts, split)), Split.TRAIN)


def part_of(parts: Parts, split: Split, data: str) -> Part | Photos:
    """One part of a data set; raises `DataError` when it has no such part."""
    part: Part | Photos | None = getattr(parts, split)
    if part is None or len(part) == 0:
        raise DataError(f"{data} has no {split} part; it has {len(parts.train)} images to train on; try --split val")
    return part
