"""How each paper trained and tested: frozen values, one file a paper, no torch."""

from cnnlab.recipes.catalog import RECIPES, get_recipe
from cnnlab.recipes.recipe import Recipe, difference, from_dict, read, to_dict, with_settings

__all__ = ["RECIPES", "Recipe", "difference", "from_dict", "get_recipe", "read", "to_dict", "with_settings"]
