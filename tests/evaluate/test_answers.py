from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, recall_score

from cnnlab.data.names import Names
from cnnlab.data.photos import FolderFiles, Photos
from cnnlab.evaluate.answers import Answers, answers_from, mistakes, worst_mistakes
from cnnlab.evaluate.intervals import wilson
from cnnlab.evaluate.predict import Outcome

NAMES = ("cat", "dog", "ship", "none of these")


def made(count: int = 60) -> tuple[Outcome, Answers]:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(count, 4, generator=generator).softmax(dim=1)
    labels = torch.randint(3, (count,), generator=generator)
    outcome = Outcome(probabilities, labels, torch.arange(count) * 2)
    return outcome, answers_from(outcome, NAMES, split="test", protocol="flip")


def test_answers_are_what_the_probabilities_say() -> None:
    outcome, answers = made()
    assert answers.guesses == tuple(outcome.probabilities.argmax(dim=1).tolist())
    assert answers.confidences == tuple(outcome.probabilities.max(dim=1).values.tolist())
    places = torch.arange(len(outcome.labels))
    assert answers.label_probabilities == tuple(outcome.probabilities[places, outcome.labels].tolist())
    assert answers.top1 == accuracy_score(answers.labels, answers.guesses)
    assert answers.indices == tuple(range(0, 120, 2))


def test_every_class_has_its_score_one_without_images_too() -> None:
    _, answers = made()
    recalls = recall_score(answers.labels, answers.guesses, labels=range(3), average=None)
    assert [each.name for each in answers.per_class] == list(NAMES)
    assert np.allclose([each.recognised / each.images for each in answers.per_class[:3]], recalls)
    assert [each.interval95 for each in answers.per_class] == [
        wilson(each.recognised, each.images) for each in answers.per_class
    ]
    assert (answers.per_class[3].images, answers.per_class[3].interval95) == (0, (0.0, 1.0))


def test_the_worst_mistakes_are_the_surest_ones() -> None:
    _, answers = made()
    places = [answers.indices.index(index) for index in worst_mistakes(answers, 10)]
    sure = [answers.confidences[place] for place in places]
    assert all(answers.guesses[place] != answers.labels[place] for place in places)
    assert sure == sorted(sure, reverse=True)
    others = set(np.flatnonzero(~answers.hits)) - set(places)
    assert max(answers.confidences[place] for place in others) <= sure[-1]


def test_no_images_are_no_mistakes() -> None:
    empty = Outcome(torch.empty(0, 4), torch.empty(0, dtype=torch.int64), torch.arange(0))
    answers = answers_from(empty, NAMES, split="val", protocol="center")
    assert worst_mistakes(answers, 5) == []
    assert answers.top1 == 0


def test_answers_are_plain_values() -> None:
    _, answers = made(5)
    assert json.loads(json.dumps(asdict(answers)))["guesses"] == list(answers.guesses)


def test_answers_and_mistakes_name_the_files(tmp_path: Path) -> None:
    outcome, unnamed = made(10)
    names = Names(f"cat/{number:02}.jpg" for number in range(20))
    part = Photos(torch.zeros(20, dtype=torch.int64), names, FolderFiles(tmp_path, names))
    answers = answers_from(outcome, NAMES, split="test", protocol="flip", part=part)
    assert (unnamed.names, unnamed.folder) == ((), None)
    assert answers.names == tuple(f"cat/{index:02}.jpg" for index in answers.indices)
    assert answers.folder == str(tmp_path)
    found = mistakes(outcome, part, NAMES, 3)
    assert [each.index for each in found] == worst_mistakes(answers, 3)
    for each in found:
        place = answers.indices.index(each.index)
        assert (each.name, each.file) == (names[each.index], str(tmp_path / names[each.index]))
        assert (each.label, each.guess) == (NAMES[answers.labels[place]], NAMES[answers.guesses[place]])
        assert each.confidence == answers.confidences[place]
