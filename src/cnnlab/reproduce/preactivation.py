"""What may stand on the shortcut, and where BN and ReLU belong (He et al. 2016, Tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes.recipe import Option
from cnnlab.recipes.resnet2015 import CIFAR10_110
from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import not_worse, worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

QUICK_DEPTH, FULL_DEPTH = 32, 110
MARGIN = 0.01
SHORTCUTS: dict[str, tuple[dict[str, Option], str]] = {  # what differs from the original, and Table 1
    "scaled by 0.5": ({"shortcut": "scaled"}, "12.35%"),
    "exclusive gate": ({"shortcut": "exclusive_gate"}, "8.70%"),
    "shortcut-only gate, b = 0": ({"shortcut": "shortcut_gate", "gate_bias": 0.0}, "12.86%"),
    "1x1 convolution": ({"shortcut": "conv1x1"}, "12.22%"),
    "dropout 0.5": ({"shortcut": "dropout"}, "fails (above 20%)"),
}
UNITS: dict[str, tuple[dict[str, Option], str]] = {  # and Table 2
    "BN after addition": ({"unit": "bn_after_addition"}, "8.17%"),
    "ReLU before addition": ({"unit": "relu_before"}, "7.84%"),
    "ReLU-only pre-activation": ({"unit": "relu_only"}, "6.71%"),
    "full pre-activation": ({"unit": "full"}, "6.37%"),
}
QUICK = ("scaled by 0.5", "1x1 convolution", "dropout 0.5", "BN after addition", "full pre-activation")
PAPER = {"original": "6.61%"} | {name: paper for table in (SHORTCUTS, UNITS) for name, (_, paper) in table.items()}


def plans(budget: Budget) -> Mapping[str, Plan]:
    """The original unit, a run of `degradation` where it is quick, and what the tables hold against it."""
    chosen = {**SHORTCUTS, **UNITS}
    if budget is Budget.FULL:
        original = Plan(CIFAR10_110)
        return {"original": original, **{name: _unit(original, FULL_DEPTH, each) for name, (each, _) in chosen.items()}}
    original = degradation.plan(budget, f"resnet{QUICK_DEPTH}")
    return {"original": original, **{name: _unit(original, QUICK_DEPTH, chosen[name][0]) for name in QUICK}}


def _unit(original: Plan, layers: int, options: Mapping[str, Option]) -> Plan:
    """The same training of a network of other units."""
    recipe = replace(original.recipe, model="residual_units", model_options={"layers": layers, **options})
    return replace(original, recipe=recipe)


def read(results: Results) -> Findings:
    """Hold each against the original."""
    original = results["original"]
    claims = [
        worse(f"{name} on the shortcut errs more than the identity", results[name], original)
        for name in SHORTCUTS
        if name in results
    ]
    claims.append(worse("BN after addition errs more than the original", results["BN after addition"], original))
    claims.append(
        not_worse(
            f"full pre-activation errs at most {100 * MARGIN:g} point more than the original",
            results["full pre-activation"],
            original,
            margin=MARGIN,
        )
    )
    values = [
        Value(f"{name}, test error", shown_error(ran), f"{PAPER[name]} (110 layers)") for name, ran in results.items()
    ]
    rows = [Row(name, test_error(ran), colour=int(name != "original")) for name, ran in results.items()]
    ours = ", ".join(
        f"{name} {shown_error(results[name])}" for name in ("original", "full pre-activation", "dropout 0.5")
    )
    return Findings(claims, values, [row_chart("Test error", rows, bars=True, shares=True)], f"{ours} test error")


REPRODUCTION = Reproduction(
    name="preactivation",
    title="Identity shortcuts, and pre-activation",
    effect="anything on the shortcut hurts; BN after the addition hurts, BN and ReLU before the convolutions do not",
    claim="On ResNet-110 any manipulation of the shortcut raises the test error above the identity's 6.61%; full "
    "pre-activation lowers it to 6.37%.",
    paper="He et al. 2016 (arXiv:1603.05027), sections 3.1 and 4.1, Tables 1 and 2",
    plans=plans,
    read=read,
    differences=(
        "with the quick budget 32 layers in place of 110, and six of the ten rows",
        "where the shape changes, pre-activation units leave the shortcut as it is (option A)",
        "the paper takes the median of 5 runs",
    ),
)
