"""Which initialisation lets a deep rectifier network without normalisation learn (He et al. 2015, Figures 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from cnnlab.recipes.recipe import Constant, Sgd
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.report.charts import Line, Mark, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

How = Literal["gaussian", "xavier", "he_fan_in"]
HOWS: dict[How, str] = {"gaussian": "Gaussian 0.01", "xavier": "Xavier", "he_fan_in": "He"}
DEPTHS = (8, 20, 32)
CHANCE = 0.9  # the error of who guesses one of ten classes


def plan(budget: Budget, how: How, layers: int) -> Plan:
    """A plain ReLU network without batch normalisation; the quick one is half as wide."""
    recipe = replace(
        CIFAR10,
        model="plain_cifar",
        model_options={"layers": layers, "norm": False, "width": 16 if budget is Budget.FULL else 8},
        optimizer=Sgd(lr=0.01, momentum=0.9, weight_decay=1e-4),
        schedule=Constant(),
        initialisation=how,
    )
    return Plan(recipe) if budget is Budget.FULL else quick(recipe, epochs=12.0)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Three initialisations at three depths."""
    return {f"{HOWS[how]}, {layers}": plan(budget, how, layers) for how in HOWS for layers in DEPTHS}


def read(results: Results) -> Findings:
    """Hold the others against He's at the greatest depth."""
    deepest = DEPTHS[-1]
    he = results[f"He, {deepest}"]
    claims = [
        worse(f"{name} errs more than He's at {deepest} layers", results[f"{name}, {deepest}"], he)
        for name in HOWS.values()
        if name != "He"
    ]
    values = [Value(f"{label} layers, test error", shown_error(ran), None) for label, ran in results.items()]
    figures = [
        line_chart(
            "Test error by depth",
            [
                Line(name, [(depth, test_error(results[f"{name}, {depth}"])) for depth in DEPTHS], place)
                for place, name in enumerate(HOWS.values())
            ],
            x_label="layers",
            shares=True,
            from_zero=False,
            marks=[Mark("guessing", CHANCE, colour=5)],
        ),
        line_chart(
            f"Training loss, {deepest} layers",
            [
                Line(name, results[f"{name}, {deepest}"][0].curve("train", "loss"), place)
                for place, name in enumerate(HOWS.values())
            ],
            x_label="step",
            from_zero=False,
        ),
    ]
    ours = ", ".join(f"{name} {shown_error(results[f'{name}, {deepest}'])}" for name in HOWS.values())
    return Findings(claims, values, figures, f"{ours} test error at {deepest} layers")


REPRODUCTION = Reproduction(
    name="initialisation",
    title="Gaussian, Xavier and He initialisation by depth",
    effect="deep ReLU networks without BN learn from He's initialisation, not from Xavier's or a fixed Gaussian",
    claim="A 30-layer rectifier network converges from He's initialisation and stalls from Xavier's; at 22 layers both "
    "converge, He's sooner (unverified).",
    paper="He et al. 2015 (arXiv:1502.01852), section 2.2, Figures 2 and 3; Glorot and Bengio 2010; the Gaussian of "
    "Krizhevsky et al. 2012",
    plans=plans,
    read=read,
    differences=(
        "plain networks of 8, 20 and 32 layers for CIFAR-10, without BN, at a rate of 0.01; the paper: ImageNet",
        "with the quick budget half as wide, and 12 epochs after 5 had shown nothing",
        "the paper's figures show curves, no numbers",
    ),
)
