from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnlab.reproduce.catalog import REPRODUCTIONS

from .conftest import Cli


def test_the_list_names_all_with_what_should_be_seen(cli: Cli) -> None:
    listed = cli("reproduce", "--list", "--json").json["reproductions"]
    assert [each["name"] for each in listed] == list(REPRODUCTIONS)
    assert listed[0]["effect"] in cli("reproduce", "--list").out


def test_what_is_counted_is_made_at_once(cli: Cli, tmp_path: Path) -> None:
    found = cli("reproduce", "bottleneck-cost", "zero-init", "--check", "--json")
    assert found.code == 0
    assert [each["verdict"]["holds"] for each in found.json["reproductions"]] == [True, True]
    record = json.loads((tmp_path / "runs" / "reproduce" / "zero-init" / "result.json").read_text())
    assert record == found.json["reproductions"][1]
    assert "bottleneck-cost: a bottleneck" in found.err


def test_people_see_the_verdict_and_the_page(cli: Cli, tmp_path: Path) -> None:
    found = cli("reproduce", "bottleneck-cost", "--folder", "made")
    assert "holds: Weights of" in found.out
    assert "69,632 against 1,179,648 weights" in found.out
    assert "made/bottleneck-cost/report.html" in found.out
    assert (tmp_path / "made" / "bottleneck-cost" / "report.html").is_file()


def test_check_fails_where_an_effect_is_not_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.reproduce.bottleneck_cost.PAPER", {"a": 1, "b": 2, "c": 3})
    assert cli("reproduce", "bottleneck-cost").code == 0
    found = cli("reproduce", "bottleneck-cost", "--check")
    assert found.code == 1
    assert "does not hold" in found.out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("degradatoin",), "did you mean 'degradation'"),
        (("--budget", "huge"), "no budget 'huge'"),
        (("--run", "2"), "did you mean --runs"),
        (("--runs", "0"), "0 is not above 0"),
    ],
)
def test_mistakes_are_named(more: tuple[str, ...], message: str, cli: Cli) -> None:
    found = cli("reproduce", *more)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
