"""`cnnlab time`: tables, JSON, a page, and a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.measure import machine

from .conftest import Cli

SMALL = ("--batch-size", 4, "--rounds", 1)


@pytest.fixture(autouse=True)
def small_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.MATRIX_SIDE, "cpu", 128)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**20)


def test_tables_by_layer_and_by_kind(cli: Cli) -> None:
    found = cli("time", "lenet5_modern", *SMALL)
    assert (found.code, found.err) == (0, "")
    assert "lenet5_modern, batches of 4 images 1x32x32, float32, cpu with" in found.out
    assert "conv2d" in found.out
    assert "sum" in found.out
    assert "of the roof" in found.out


def test_json_and_a_page_with_the_sweep(cli: Cli, tmp_path: Path) -> None:
    found = cli("time", "resnet20", *SMALL, "--pixels", 8, "--sweep", "--depth", 1, "--out", "time.html", "--json")
    values = found.json
    assert [each["batch_size"] for each in values["sweep"]] == [1, 2, 4]
    assert values["input"] == "3x8x8"
    layers = [each["name"] for each in values["layers"]]
    assert layers == ["conv1", "bn1", "(forward)", "layer1", "layer2", "layer3", "fc"]
    assert sum(each["seconds"] for each in values["kinds"]) == pytest.approx(values["sum"]["seconds"])
    page = (tmp_path / "time.html").read_text(encoding="utf-8")
    assert "Memory against batch size" in page


def test_a_misspelt_network_gets_a_suggestion(cli: Cli) -> None:
    found = cli("time", "resnet21")
    assert (found.code, "resnet20" in found.err) == (2, True)
