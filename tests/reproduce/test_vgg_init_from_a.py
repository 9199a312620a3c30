from __future__ import annotations

import pytest

from cnnlab.models.catalog import create_model
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.vgg_init_from_a import plans, read

from .conftest import Made


def test_seven_layers_come_from_a_trained_first() -> None:
    made = plans(Budget.QUICK)
    shallow, random, copied = made["A, random"], made["D, random"], made["D, from A"]
    assert copied.start == shallow
    assert copied.recipe.start is not None
    assert (copied.recipe.start.model, len(copied.recipe.start.layers)) == (shallow.recipe.model, 4 + 3)
    assert copied.key(0) != random.key(0)
    assert copied.recipe.optimizer == random.recipe.optimizer


def test_the_layers_named_have_equal_shapes_in_both() -> None:
    made = plans(Budget.QUICK)
    shallow, deep = (create_model(each.recipe.model, **each.recipe.model_options) for each in list(made.values())[:2])
    start = made["D, from A"].recipe.start
    assert start is not None
    for here, there in start.layers:
        ours, theirs = deep.get_submodule(here), shallow.get_submodule(there)
        assert [each.shape for each in ours.parameters()] == [each.shape for each in theirs.parameters()]


@pytest.mark.parametrize(("copied", "holds"), [(0.40, True), (0.95, False)])
def test_it_holds_where_random_weights_stall(copied: float, holds: bool, result: Made) -> None:
    errors = {"A, random": 0.45, "D, random": 0.90, "D, from A": copied}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(errors.items())})
    assert verdict(found.claims).holds is holds
