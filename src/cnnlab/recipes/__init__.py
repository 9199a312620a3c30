"""How each paper trained and tested: frozen values, one file a paper, no torch."""

from cnnlab.recipes.catalog import RECIPES, get_recipe
from cnnlab.recipes.recipe import Recipe, from_dict, read, to_dict, with_settings

__all__ = ["RECIPES", "Recipe", "from_dict", "get_recipe", "read", "to_dict", "with_settings"]
