from __future__ import annotations

import json
from pathlib import Path

from cnnlab.recipes import RECIPES, from_dict, to_dict

from .conftest import Cli


def test_json_has_every_recipe_whole(cli: Cli) -> None:
    found = cli("recipes", "--json").json["recipes"]
    assert [from_dict(each) for each in found] == list(RECIPES.values())


def test_people_see_a_line_a_recipe(cli: Cli) -> None:
    lines = cli("recipes").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(RECIPES)
    assert "64,000 steps" in next(line for line in lines if "resnet2015/cifar10 " in line)


def test_one_recipe_is_shown_as_the_json_that_can_be_read_back(cli: Cli, tmp_path: Path) -> None:
    shown = cli("recipes", "resnet2015/cifar10")
    assert shown.json == to_dict(RECIPES["resnet2015/cifar10"])
    path = tmp_path / "mine.json"
    path.write_text(shown.out, encoding="utf-8")
    assert json.loads(cli("recipes", path, "--json").out) == shown.json
