"""How good a trained network is, or several that answer together, on a part of a data set."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from cnnlab.data.parts import Part
from cnnlab.data.photos import Photos
from cnnlab.errors import CheckpointError, DataError, command, reason_of
from cnnlab.evaluate.classifier import Classifier, record_test_read
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.metrics import negative_log_likelihood, top_k_accuracy, top_k_hits
from cnnlab.evaluate.predict import Outcome, Predict, macs_per_image, predict_part
from cnnlab.evaluate.protocols import Protocol, get_protocol
from cnnlab.evaluate.tested_on import load_for, part_of, require_split, split_there
from cnnlab.models.device import place_network
from cnnlab.types import Split


@dataclass(frozen=True)
class Evaluation:
    """The outcome of one test: shares in [0, 1], the 95% interval of top1, seconds of the whole pass.

    `macs` are the multiply-accumulates of all views of one image by all members of an ensemble; `skipped` names the
    images left out, each with its reason; `notes` say what else is to be known of the images, such as which are left
    out because the network was trained on them.
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
    notes: tuple[str, ...] = ()


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
    notes = _record(members, rule.name, len(outcome.labels), why) if split is Split.TEST else ()
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
        notes=notes,
    )
    return evaluation, outcome


def _record(members: Sequence[Classifier], protocol: str, images: int, why: str) -> tuple[str, ...]:
    """Record a reading of the test part in each run; returns what could not be recorded, as the figures stand."""
    notes = []
    for folder in dict.fromkeys(each.folder for each in members if each.folder is not None):
        try:
            record_test_read(folder, protocol, images, why)
        except OSError as error:
            notes.append(f"this reading of the test part could not be recorded in {folder}: {reason_of(error)}")
    return tuple(notes)


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
    split: str | Split | None = None,
    max_bad: float = 0.01,
    skip_unknown: bool = False,
) -> Evaluation:
    """Test `classifier` on a split of `data` (None: its test part, or what there is); see `load_for` and `evaluate`."""
    if split is not None:
        require_split(split)
    splits = None if split is None else (Split(split),)
    parts = load_for([classifier], data, folder=folder, max_bad=max_bad, splits=splits, skip_unknown=skip_unknown)
    chosen = Split(split or split_there(parts))
    part = part_of(parts, chosen, data)
    why = command("eval", data)
    tested = evaluate(classifier, part, protocol=protocol, split=chosen, why=why, max_bad=max_bad)
    return replace(tested, notes=(*parts.notes, *tested.notes))
