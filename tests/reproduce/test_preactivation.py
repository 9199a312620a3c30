from __future__ import annotations

from cnnlab.models.catalog import create_model
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import verdict
from cnnlab.reproduce.plan import Budget
from cnnlab.reproduce.preactivation import PAPER, QUICK, plans, read

from .conftest import Made


def test_the_original_is_a_run_of_degradation_and_full_has_both_tables() -> None:
    quick, full = (plans(budget) for budget in (Budget.QUICK, Budget.FULL))
    assert quick["original"].key(0) in {each.key(0) for each in degradation.plans(Budget.QUICK).values()}
    assert list(quick) == ["original", *QUICK]
    assert set(full) == set(PAPER)
    for plan in quick.values():
        create_model(plan.recipe.model, **plan.recipe.model_options)


def test_it_holds_where_only_the_identity_and_full_preactivation_do_well(result: Made) -> None:
    seen = {"original": 0.4, **dict.fromkeys(QUICK, 0.6), "full pre-activation": 0.36}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is True
    assert ("dropout 0.5, test error", "fails (above 20%) (110 layers)") in [(v.name, v.paper) for v in found.values]


def test_it_does_not_hold_where_a_convolution_on_the_shortcut_helps(result: Made) -> None:
    seen = {"original": 0.4, **dict.fromkeys(QUICK, 0.6), "full pre-activation": 0.36, "1x1 convolution": 0.2}
    found = read({label: (result(error, seed=place),) for place, (label, error) in enumerate(seen.items())})
    assert verdict(found.claims).holds is False
