"""List the recipes, show one in full, or say how it differs from another.

With --json a recipe is what `--set` changes and `--recipe FILE.json` reads back.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import TYPE_CHECKING, Any

from cnnlab.cli.parser import add_json

if TYPE_CHECKING:
    from cnnlab.recipes import Recipe

EXPECTED_LETTERS = 60  # of what to expect, in the list
TOLD = ("name", "paper", "model", "data", "expected", "differences", "gmac")  # shown apart from the other fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cnnlab recipes` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one recipe, shown whole (default: list all)")
    parser.add_argument("--diff", metavar="OTHER", help="show what is different in this other recipe")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List or show recipes."""
    from cnnlab.cli.console import console, print_json
    from cnnlab.errors import UsageError
    from cnnlab.recipes import RECIPES, difference, get_recipe, to_dict

    out = console(json_output=args.json)
    if args.diff:
        if not args.name:
            raise UsageError("--diff compares two recipes; name the first: cnnlab recipes NAME --diff OTHER")
        found = difference(get_recipe(args.name), get_recipe(args.diff))
        print_json({"from": args.name, "to": args.diff, "changes": found}) if args.json else _show_changes(out, found)
    elif args.name:
        recipe = get_recipe(args.name)
        print_json(to_dict(recipe)) if args.json else _show(out, recipe)
    elif args.json:
        print_json({"recipes": [to_dict(recipe) for recipe in RECIPES.values()]})
    else:
        _list(out, list(RECIPES.values()))
    return 0


def _list(out: Any, recipes: list[Recipe]) -> None:
    from cnnlab.cli.console import table

    made = table("name", "paper", "network", "data", "length", "expected", optional=("data", "paper", "expected"))
    for recipe in recipes:
        paper = re.split("[,;]", recipe.paper)[0]
        expected = textwrap.shorten(recipe.expected, EXPECTED_LETTERS, placeholder=" …")
        made.add_row(recipe.name, paper, recipe.model, recipe.data, recipe.length, expected)
    out.print(made)


def _show(out: Any, recipe: Recipe) -> None:
    from cnnlab.errors import command
    from cnnlab.recipes import to_dict

    out.print(f"[bold]{recipe.name}[/bold]")
    cost = f"{recipe.length}, {recipe.batches}"
    cost += f"; {recipe.gmac:g} GMAC a view of an image" if recipe.gmac else ""
    lines = [f"paper     {recipe.paper}", f"network   {recipe.model}", f"data      {recipe.data}", f"cost      {cost}"]
    lines += [f"expected  {recipe.expected}"] if recipe.expected else []
    lines += (
        ["differences from the paper:", *(f"  - {each}" for each in recipe.differences)] if recipe.differences else []
    )
    default = type(recipe).__dataclass_fields__
    lines.append("values:")
    for name, value in to_dict(recipe).items():
        if name not in TOLD and getattr(recipe, name) != default[name].default:
            lines.append(f"  {name} = {_plain(value)}")
    out.print("\n".join(lines), markup=False)
    data = ["FOLDER"] if recipe.data in ("imagenet", "photos") else []
    out.print(f"next: {command('train', *data, '--recipe', recipe.name)}", markup=False)


def _show_changes(out: Any, changes: dict[str, list[Any]]) -> None:
    for name, (before, after) in changes.items():
        out.print(f"{name}: {_plain(before)} -> {_plain(after)}", markup=False)


def _plain(value: object) -> str:
    """A JSON value in one line: objects by their kind and fields."""
    if isinstance(value, dict):
        inner = ", ".join(f"{key}={_plain(each)}" for key, each in value.items() if key != "kind")
        return f"{value['kind']}({inner})" if "kind" in value else f"({inner})"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return str(value)
