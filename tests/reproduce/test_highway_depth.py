from __future__ import annotations

from cnnlab.models.catalog import create_model
from cnnlab.models.describe import count_parameters
from cnnlab.reproduce.highway_depth import DEPTHS, FAMILIES, RATES, label, plans, read
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.runs import Results

from .conftest import Made


def made(result: Made, plain: float, highway: float) -> Results:
    deepest = {"plain": plain, "highway": highway}
    return {
        label(family, depth, lr): (result(0.05 if depth < 100 else deepest[family], seed=depth, diverged=lr > 0.01),)
        for family in FAMILIES
        for depth in DEPTHS
        for lr in RATES
    }


def test_a_layer_of_either_family_has_about_5000_parameters() -> None:
    for name, plan in plans(Budget.QUICK).items():
        if "-20," in name:
            deep = count_parameters(create_model(plan.recipe.model, **plan.recipe.model_options))
            shallow = count_parameters(create_model(plan.recipe.model, **{**plan.recipe.model_options, "layers": 10}))
            assert 4_900 < (deep - shallow) / 10 < 5_200


def test_it_holds_where_only_plain_networks_fail(result: Made) -> None:
    assert verdict(read(made(result, 0.9, 0.05)).claims).holds is True


def test_it_does_not_hold_where_highways_fail_too(result: Made) -> None:
    assert verdict(read(made(result, 0.9, 0.9)).claims).holds is False
