from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.recipes import RECIPES, fast, get_recipe, to_dict


def test_a_recipe_is_found_by_its_name() -> None:
    assert get_recipe("fast/cifar10") is fast.CIFAR10


def test_a_misspelt_recipe_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="no recipe 'resnet2015/cifar'; did you mean 'resnet2015/cifar10'"):
        get_recipe("resnet2015/cifar")


def test_a_json_file_is_a_recipe_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(to_dict(fast.MNIST)), encoding="utf-8")
    assert get_recipe(str(path)) == fast.MNIST


def test_a_json_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mine\.json"):
        get_recipe(str(tmp_path / "mine.json"))


def test_every_recipe_is_called_what_the_catalogue_calls_it() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}


def test_the_page_of_recipes_is_what_its_writer_writes() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("recipe_table", root / "bench" / "recipe_table.py")
    assert spec is not None
    assert spec.loader is not None
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    told = (root / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert told == writer.page(list(RECIPES.values())), "it is old: uv run python bench/recipe_table.py"
    assert all(f"| `{name}` |" in told for name in RECIPES)
