from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cnnlab.errors import UsageError
from cnnlab.evaluate.answers import Answers, answers_from
from cnnlab.evaluate.classifier import load
from cnnlab.evaluate.examine import examine
from cnnlab.evaluate.tested_on import load_for
from cnnlab.models.describe import cost
from cnnlab.report.page import percent
from cnnlab.report.run_page import short
from cnnlab.train.report import report_run
from cnnlab.types import Split

from ..report.reading import dangers, read


@pytest.fixture
def asked(own_run: Path, shapes: Path) -> tuple[Answers, object]:
    classifier = load(own_run, device="cpu")
    part = load_for([classifier], str(shapes)).val
    evaluation, outcome = examine([classifier], part, split=Split.VAL)
    return answers_from(outcome, classifier.config.labels.names, split="val", protocol=evaluation.protocol), part


def test_a_real_runs_report_is_about_that_run(own_run: Path, asked: tuple[Answers, object]) -> None:
    answers, part = asked
    path = report_run(own_run, answers, part)
    page = path.read_text(encoding="utf-8")
    result = json.loads((own_run / "result.json").read_text(encoding="utf-8"))
    assert path == own_run / "report.html"
    assert dangers(page) == []
    text = read(page).text
    macs = cost(load(own_run, device="cpu").network, 3, 16).macs
    for expected in (
        percent(result["test"]["top1"]),
        f"{result['parameters']:,}",
        f"{short(macs)} multiply-accumulates",
        "checks, disc, stripes",
        "There is no recipe tiny in the catalogue",
    ):
        assert expected in text
    mistakes = sum(label != guess for label, guess in zip(answers.labels, answers.guesses, strict=True))
    assert len(read(page).named("img")) == mistakes
    kept = json.loads((own_run / "predictions.json").read_text(encoding="utf-8"))
    assert kept["guesses"] == json.loads(json.dumps(asdict(answers)))["guesses"]


def test_the_report_is_made_anew_from_the_folder(own_run: Path, asked: tuple[Answers, object]) -> None:
    first = report_run(own_run, *asked).read_bytes()
    assert report_run(own_run).read_bytes() == first


def test_a_run_of_a_catalogued_recipe_is_compared_with_it(own_run: Path) -> None:
    recipe = json.loads((own_run / "recipe.json").read_text(encoding="utf-8"))
    (own_run / "recipe.json").write_text(json.dumps({**recipe, "name": "fast/cifar10"}), encoding="utf-8")
    cells = read(report_run(own_run).read_text(encoding="utf-8")).texts
    at = cells.index("batch_size")
    assert cells[at : at + 3] == ["batch_size", "1024", "8"]


def test_an_unfinished_run_has_a_report(own_run: Path) -> None:
    for name in ("config.json", "result.json"):
        (own_run / name).unlink()
    assert "unfinished" in report_run(own_run).read_text(encoding="utf-8")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read a recipe from .*recipe\.json"):
        report_run(tmp_path)
