from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cnnlab.evaluate.classifier import load, save
from cnnlab.models.catalog import create_model

from ..report.reading import dangers, read
from .conftest import Cli


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A trained run, and the same with random weights."""
    trained = Path(shutil.copytree(tiny_run, tmp_path / "trained"))
    random = Path(shutil.copytree(tiny_run, tmp_path / "random"))
    torch.manual_seed(5)
    save(random, create_model("resnet20", num_classes=3), load(trained).config)
    return trained, random


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.evaluate.compare.LATENCY_SECONDS", 0.0)


def test_json_and_page_tell_the_same(cli: Cli, runs: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    found = cli("compare", *runs, "--split", "train", "--out", page, "--json")
    assert found.code == 0
    assert found.json["report"] == str(page)
    assert [each["run"] for each in found.json["runs"]] == ["trained", "random"]
    html = page.read_text(encoding="utf-8")
    assert dangers(html) == []
    assert found.json["pairs"][0]["words"] in read(html).text
    assert len(read(html).named("img")) == len(found.json["disagreements"]) > 0


def test_people_see_the_verdict(cli: Cli, runs: tuple[Path, Path]) -> None:
    found = cli("compare", *runs, "--split", "train")
    assert found.code == 0
    assert "trained against random: " in found.out
    assert "by McNemar, exact" in found.out
    assert "only trained recognises" in found.out
    assert "--out compare.html" in found.out


def test_two_equal_runs_give_no_difference(cli: Cli, runs: tuple[Path, Path]) -> None:
    found = cli("compare", runs[0], runs[0], "--split", "val")
    assert "no difference: both recognise the same images" in found.out
    assert "0 images are recognised by some and not by others" in found.out


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ((), 2, "compare needs two runs or more; seen 1"),
        (("mistyped",), 2, "mistyped holds no trained network"),
        (("{run}", "gone/photos"), 3, "there is no folder gone/photos"),
        (("{run}", "--split", "tset"), 2, "did you mean 'test'"),
        (("{run}", "--protcol", "flip"), 2, "did you mean --protocol"),
    ],
)
def test_mistakes_are_named(more: tuple[str, ...], code: int, message: str, cli: Cli, runs: tuple[Path, Path]) -> None:
    found = cli("compare", runs[0], *(each.format(run=runs[1]) for each in more))
    assert (found.code, found.out) == (code, "")
    assert message in found.err
