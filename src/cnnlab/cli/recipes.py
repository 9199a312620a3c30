"""List the recipes, or show one as the JSON that `--set` changes and `--recipe FILE.json` reads back."""

from __future__ import annotations

import argparse

from cnnlab.cli.parser import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab recipes` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one recipe, shown whole (default: list all)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List or show recipes."""
    from cnnlab.cli.console import console, print_json, table
    from cnnlab.recipes import RECIPES, get_recipe, to_dict

    if args.name:
        print_json(to_dict(get_recipe(args.name)))
        return 0
    if args.json:
        print_json({"recipes": [to_dict(recipe) for recipe in RECIPES.values()]})
        return 0
    made = table("name", "network", "data", "length", "paper")
    for name, recipe in RECIPES.items():
        length = f"{recipe.steps:,} steps" if recipe.steps else f"{recipe.epochs:g} epochs"
        made.add_row(name, recipe.model, recipe.data, length, recipe.paper)
    console(json_output=False).print(made)
    return 0
