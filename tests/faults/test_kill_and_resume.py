from pathlib import Path

import pytest

from cnnlab.recipes.recipe import Recipe
from tests.faults.campaign import FAST, PLAIN, campaign

pytestmark = pytest.mark.faults


def check(folder: Path, recipe: Recipe, trainings: int, kills: int) -> None:
    outcomes = campaign(folder, recipe, trainings, kills)
    assert sum(len(each.kills) for each in outcomes) >= trainings * kills / 2
    assert all(each.same_weights and each.same_log for each in outcomes), outcomes


def test_a_training_killed_twice_ends_bit_equal(tmp_path: Path) -> None:
    check(tmp_path, FAST, trainings=1, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("recipe", [PLAIN, FAST], ids=["sgd", "muon"])
def test_twenty_kills_at_random_moments_change_nothing(tmp_path: Path, recipe: Recipe) -> None:
    check(tmp_path, recipe, trainings=3, kills=4)
