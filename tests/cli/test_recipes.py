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


def test_one_recipe_as_json_can_be_read_back(cli: Cli, tmp_path: Path) -> None:
    shown = cli("recipes", "resnet2015/cifar10", "--json")
    assert shown.json == to_dict(RECIPES["resnet2015/cifar10"])
    path = tmp_path / "mine.json"
    path.write_text(shown.out, encoding="utf-8")
    assert json.loads(cli("recipes", path, "--json").out) == shown.json


def test_people_see_one_recipe_in_full_with_what_differs_and_what_to_type(cli: Cli) -> None:
    out = cli("recipes", "highway2015/cifar10").out
    assert "Srivastava et al. 2015" in out
    assert "200,000 steps, batches of 100; 0.331 GMAC" in out
    assert "7.54% test error" in out
    assert "  - trains on 45k images" in out
    assert "multiply = [(parameters=*bias, lr=2.0, decay=0.0), (parameters=fc.weight, lr=1.0, decay=10.0)]" in out
    assert out.rstrip().endswith("next: cnnlab train --recipe highway2015/cifar10")


def test_a_share_of_each_batch_is_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**to_dict(RECIPES["fast/cifar10"]), "hardest": {"share": 0.25}}))
    assert "15 epochs, batches of 1,024, the hardest 256 of each trained on" in cli("recipes", path).out


def test_two_recipes_are_compared_field_by_field(cli: Cli) -> None:
    names = ("resnet2015/cifar10", "--diff", "resnet_v2_2016/cifar10")
    changes = cli("recipes", *names, "--json").json["changes"]
    assert changes["model"] == ["resnet20", "resnetv2_164"]
    assert "warmup: None -> constant(steps=400, factor=0.1)" in cli("recipes", *names).out.splitlines()


def test_wrong_names_get_a_suggestion(cli: Cli) -> None:
    for arguments in (("resnet2015/cifar",), ("resnet2015/cifar10", "--diff", "resnet2015/cifar")):
        found = cli("recipes", *arguments)
        assert found.code == 2
        assert "did you mean 'resnet2015/cifar10'" in found.err
    assert "name the first" in cli("recipes", "--diff", "resnet2015/cifar10").err
