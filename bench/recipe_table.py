"""Write docs/recipes.md from the recipes themselves: uv run python bench/recipe_table.py."""

from __future__ import annotations

from pathlib import Path

from cnnlab.recipes import RECIPES, Recipe

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
HEAD = """\
# Recipes

How each paper trained its network and how it tested it; `cnnlab recipes NAME` shows one in full, and
`cnnlab recipes NAME --diff OTHER` what changes from one to another. `bench/recipe_table.py` writes this page.

A recipe is trained with `cnnlab train DATA --recipe NAME`; with another network by `--model`, shorter or longer by
`--epochs` or `--minutes` (the schedule stretches with it), from trained weights by `--pretrained`. Those for ImageNet
take any folder of photos. "(unverified)" marks what we know from memory or at second hand, not from the paper itself.

"""


def page(recipes: list[Recipe]) -> str:
    """The whole page: a table with a row for each recipe, and how each differs from its paper."""
    rows = ["| recipe | paper | network | GMAC | training | test | expected |", "|---|---|---|---|---|---|---|"]
    rows += [row(recipe) for recipe in recipes]
    notes = [line for recipe in recipes if recipe.differences for line in note(recipe)]
    return HEAD + "\n".join([*rows, "", "## Where they differ from their papers", *notes]) + "\n"


def row(recipe: Recipe) -> str:
    cost = f"{recipe.gmac:g}" if recipe.gmac else ""
    training = f"{recipe.data}, {recipe.length}, {recipe.batches}"
    test = recipe.protocol
    if recipe.test_crop_pixels:
        test += f", {recipe.test_crop_pixels} of {recipe.test_resize_pixels} pixels"
    cells = (f"`{recipe.name}`", recipe.paper, f"`{recipe.model}`", cost, training, test, recipe.expected)
    return "| " + " | ".join(cells) + " |"


def note(recipe: Recipe) -> list[str]:
    return ["", f"### {recipe.name}", "", *(f"- {difference}" for difference in recipe.differences)]


def main() -> None:
    PAGE.write_text(page(list(RECIPES.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
