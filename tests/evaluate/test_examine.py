from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.data.parts import Part, part_from
from cnnlab.data.photos import Photos
from cnnlab.data.preprocess import normalise
from cnnlab.errors import CheckpointError, DataError, UnknownNameError, UsageError
from cnnlab.evaluate.classifier import Classifier, Config, load, save
from cnnlab.evaluate.examine import Evaluation, evaluate, evaluate_on, examine, with_weights
from cnnlab.evaluate.predict import predict_part
from cnnlab.evaluate.protocols import PROTOCOLS
from cnnlab.evaluate.tested_on import load_for
from cnnlab.models.catalog import create_model
from cnnlab.types import Labels, Preprocess, Split

from ..conftest import CLASSES, draw

CONFIG = Config(
    architecture="resnet20",
    num_classes=3,
    in_channels=3,
    preprocess=Preprocess(16, 16, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    labels=Labels(CLASSES),
    protocol="center",
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with nothing but an untrained network."""
    torch.manual_seed(0)
    folder = tmp_path / "bundle"
    folder.mkdir()
    save(folder, create_model("resnet20", num_classes=3), CONFIG)
    return folder


def made_part(count: int = 5) -> Part:
    images = np.stack([draw(CLASSES[i % 3], i, (16, 16)).transpose(2, 0, 1) for i in range(count)])
    return part_from(images, np.arange(count) % 3)


def reads(folder: Path) -> list[dict[str, object]]:
    path = folder / "test_reads.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def test_the_figures_are_those_of_the_probabilities(bundle: Path) -> None:
    classifier, part = load(bundle), made_part(30)
    found = evaluate(classifier, part, protocol="flip", split=Split.VAL)
    right = (classifier_answers(classifier, part) == part.labels).float().mean()
    assert found.top1 == pytest.approx(float(right))
    assert (found.protocol, found.views, found.images, found.top5) == ("flip", 2, 30, 1.0)
    assert found.interval95[0] <= found.top1 <= found.interval95[1]
    assert found.seconds > 0


def classifier_answers(classifier: Classifier, part: Part) -> torch.Tensor:
    batch = normalise(part.images, classifier.config.preprocess)
    with torch.no_grad():
        return (classifier.network(batch).softmax(1) + classifier.network(batch.flip(3)).softmax(1)).argmax(1)


def test_only_reads_of_the_test_part_are_recorded(bundle: Path) -> None:
    classifier = load(bundle)
    evaluate(classifier, made_part(), split=Split.VAL)
    evaluate(classifier, made_part(), split=Split.TRAIN)
    assert reads(bundle) == []
    evaluate(classifier, made_part(), split=Split.TEST, why="to see")
    [read] = reads(bundle)
    assert (read["protocol"], read["images"], read["why"]) == ("center", 5, "to see")


def test_every_read_is_a_line_of_its_own(bundle: Path) -> None:
    for protocol in ("center", "flip"):
        evaluate(load(bundle), made_part(), protocol=protocol)
    assert [read["protocol"] for read in reads(bundle)] == ["center", "flip"]


def test_training_itself_read_the_test_part_once(tiny_run: Path) -> None:
    assert [read["why"] for read in reads(tiny_run)][:1] == ["end of training"]


def test_a_test_after_training_repeats_the_runs_own_figure(own_run: Path, shapes: Path) -> None:
    found = evaluate_on(load(own_run), str(shapes))
    before = json.loads((own_run / "result.json").read_text(encoding="utf-8"))["test"]
    assert (found.top1, found.images) == (before["top1"], before["images"])
    assert found.loss == pytest.approx(before["loss"], abs=1e-6)
    assert [read["why"] for read in reads(own_run)] == ["end of training", f"cnnlab eval {shapes}"]


def test_the_room_itself_can_be_called(own_run: Path, shapes: Path) -> None:
    found = cnnlab.evaluate(cnnlab.load(own_run), shapes, protocol="center", split="val")
    assert (found.protocol, found.views) == ("center", 1)
    assert len(reads(own_run)) == 1


def test_other_classes_than_the_networks_are_refused_with_both(own_run: Path) -> None:
    with pytest.raises(DataError, match="classes checks, disc, stripes; unknown to it in synthetic: ring") as caught:
        evaluate_on(load(own_run), "synthetic")
    assert "falling stripes (300 images); missing: stripes; call the classes" in str(caught.value)


def test_a_misspelt_split_or_protocol_gets_a_suggestion(own_run: Path, shapes: Path) -> None:
    with pytest.raises(UnknownNameError, match="no split 'tset'; did you mean 'test'"):
        evaluate_on(load(own_run), str(shapes), split="tset")
    with pytest.raises(UnknownNameError, match="no protocol 'flop'; did you mean 'flip'"):
        evaluate_on(load(own_run), str(shapes), protocol="flop")


def test_a_split_that_is_not_there_is_named_and_the_other_one_taken_where_none_is_asked_for(
    own_run: Path, tmp_path: Path
) -> None:
    for kind in CLASSES:
        for split in ("train", "val"):
            folder = tmp_path / "photos" / split / kind
            folder.mkdir(parents=True)
            Image.fromarray(draw(kind, len(split))).save(folder / "0.jpg")
    with pytest.raises(DataError, match="has no test part; its images: 3 in train, 3 in val; try --split val"):
        evaluate_on(load(own_run), str(tmp_path / "photos"), split="test")
    assert evaluate_on(load(own_run), str(tmp_path / "photos")).images == 3
    assert len(reads(own_run)) == 1  # validation images are no test part


# -- folders of photos ---------------------------------------------------------------------------------------------


def test_a_folders_photos_stay_on_disk_and_give_what_training_saw(own_run: Path, shapes: Path) -> None:
    parts = load_for([load(own_run)], str(shapes))
    assert isinstance(parts.test, Photos)
    for protocol in PROTOCOLS:
        found = evaluate(load(own_run), parts.test, protocol=protocol)
        assert (found.protocol, found.views) == (protocol, len(PROTOCOLS[protocol].views))
        assert 0 <= found.top1 <= found.top5 <= 1
        assert found.macs > 0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Other shapes, all test images but a few."""
    folder = tmp_path / "photos"
    for kind in CLASSES:
        for number in range(12):
            place = folder / ("train" if number < 2 else "test") / kind
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw(kind, 100 + number)).save(place / f"{number:02}.jpg")
    return folder


def test_damaged_photos_are_counted_and_named_and_too_many_are_refused(own_run: Path, photos: Path) -> None:
    whole = evaluate_on(load(own_run), str(photos))
    assert (whole.images, whole.skipped) == (30, ())
    for kind in CLASSES[:2]:
        (photos / "test" / kind / "05.jpg").write_bytes(b"damaged")
    found = evaluate_on(load(own_run), str(photos), max_bad=0.1)
    assert found.images == 28
    assert [reason.partition(":")[0] for reason in found.skipped] == ["test/checks/05.jpg", "test/disc/05.jpg"]
    with pytest.raises(DataError, match=r"2 of 30 images cannot be read(.|\n)*test/disc/05.jpg"):
        evaluate_on(load(own_run), str(photos))


# -- ensembles -----------------------------------------------------------------------------------------------------


def figures(found: Evaluation) -> Evaluation:
    return replace(found, seconds=0.0)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another untrained network with the same classes."""
    torch.manual_seed(7)
    folder = tmp_path / "other"
    folder.mkdir()
    save(folder, create_model("resnet20", num_classes=3), CONFIG)
    return folder


@pytest.mark.parametrize("protocol", ["flip", "10crop", "dense"])
def test_an_ensemble_of_one_is_the_single(protocol: str, bundle: Path) -> None:
    classifier, part = load(bundle), made_part(20)
    found, outcome = examine([classifier], part, protocol=protocol, split=Split.VAL)
    assert figures(found) == figures(evaluate(classifier, part, protocol=protocol, split=Split.VAL))
    single = predict_part(
        classifier.network, part, PROTOCOLS[protocol], classifier.config.preprocess, classifier.device
    )
    assert torch.equal(outcome.probabilities, single.probabilities)


def test_an_ensemble_averages_probabilities_and_costs_the_sum(bundle: Path, other: Path) -> None:
    members, part = [load(bundle), load(other)], made_part(20)
    found, outcome = examine(members, part, protocol="flip", split=Split.VAL)
    alone = [examine([each], part, protocol="flip", split=Split.VAL) for each in members]
    expected = (alone[0][1].probabilities + alone[1][1].probabilities) / 2
    torch.testing.assert_close(outcome.probabilities, expected)
    torch.testing.assert_close(outcome.probabilities.sum(1), torch.ones(20))
    assert found.macs == alone[0][0].macs + alone[1][0].macs
    assert found.top1 == pytest.approx(float((expected.argmax(1) == part.labels).float().mean()))


def test_every_members_run_records_the_reading(bundle: Path, other: Path) -> None:
    examine([load(bundle), load(other), load(other)], made_part(), protocol="center")
    assert [len(reads(folder)) for folder in (bundle, other)] == [1, 1]


def test_members_that_know_other_classes_are_refused_with_both(own_run: Path, other: Path, shapes: Path) -> None:
    save(other, create_model("resnet20", num_classes=3), replace(CONFIG, labels=Labels(("a", "b", "c"))))
    with pytest.raises(UsageError, match=r"same classes in the same order; .*checks, disc, stripes; .*a, b, c"):
        load_for([load(own_run), load(other)], str(shapes))


def test_a_snapshot_is_the_run_with_other_weights(bundle: Path, other: Path) -> None:
    first, second = load(bundle), load(other)
    snapshot = with_weights(first, second.network.state_dict())
    part = made_part()
    found = examine([snapshot], part, split=Split.VAL)[1].probabilities
    assert torch.equal(found, examine([second], part, split=Split.VAL)[1].probabilities)
    assert snapshot.folder == first.folder
    with pytest.raises(CheckpointError, match="holds other weights than resnet20 has"):
        with_weights(first, create_model("resnet32", num_classes=3).state_dict())


# -- protocols a network cannot do -----------------------------------------------------------------------------------


def test_an_impossible_protocol_is_refused_before_the_test_part_is_read(tmp_path: Path) -> None:
    preprocess = Preprocess(28, 28, (0.5,), (0.5,))
    config = replace(CONFIG, architecture="perceptron", in_channels=1, preprocess=preprocess)
    save(tmp_path, create_model("perceptron", num_classes=3), config)
    part = part_from(np.zeros((2, 1, 28, 28), np.uint8), np.array([0, 1]))
    with pytest.raises(UsageError, match="protocol dense is impossible for Perceptron"):
        evaluate(load(tmp_path), part, protocol="dense")
    assert reads(tmp_path) == []
    assert evaluate(load(tmp_path), part, protocol="10crop").views == 10
