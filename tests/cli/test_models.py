from __future__ import annotations

import fnmatch

from cnnlab.models.catalog import MODELS

from .conftest import Cli

KEYS = {"name", "year", "paper", "input", "parameters", "macs", "depth", "weights"}


def test_json_has_the_designs_keys_for_every_network_that_matches(cli: Cli) -> None:
    found = cli("models", "plain*", "--json")
    assert found.code == 0
    assert [each["name"] for each in found.json["models"]] == fnmatch.filter(MODELS, "plain*")
    assert all(each.keys() >= KEYS for each in found.json["models"])


def test_a_pattern_chooses(cli: Cli) -> None:
    found = cli("models", "plain??", "--json").json["models"]
    assert {each["name"] for each in found} >= {"plain20", "plain56"}
    assert all(each["name"].startswith("plain") for each in found)


def test_people_see_a_line_a_network(cli: Cli) -> None:
    lines = cli("models", "resnet20").out.splitlines()
    assert lines[1].split()[:4] == ["resnet20", "2015", "3x32x32", "20"]
