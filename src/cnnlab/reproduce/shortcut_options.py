"""Shortcuts A, B and C: all cure, and projections are not essential (He et al. 2015, Table 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.report.charts import Row, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import fact, not_worse, worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

DEPTH = 32
PAPER = {"plain": 0.2854, "A": 0.2503, "B": 0.2452, "C": 0.2419}  # 34 layers, ImageNet, 10 crops
MARGIN = 0.02


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Plain and option A are runs of `degradation`; B and C differ from A in the shortcut alone."""
    option_a = degradation.plan(budget, f"resnet{DEPTH}")
    others = {
        option: replace(option_a, recipe=replace(option_a.recipe, model_options={"shortcut": option}))
        for option in "BC"
    }
    return {"plain": degradation.plan(budget, f"plain{DEPTH}"), "A": option_a, **others}


def read(results: Results) -> Findings:
    """Hold each option against none, and A against C."""
    parameters = {label: ran[0].parameters for label, ran in results.items()}
    claims = [
        *(worse(f"plain errs more than with option {option}", results["plain"], results[option]) for option in "ABC"),
        not_worse(
            f"A, without any parameter, errs at most {100 * MARGIN:g} points more than C",
            results["A"],
            results["C"],
            margin=MARGIN,
        ),
        fact(
            "A has as many parameters as the plain network",
            parameters["A"] == parameters["plain"],
            f"{parameters['A']:,} and {parameters['plain']:,}",
        ),
    ]
    values = [
        value
        for label, ran in results.items()
        for value in (
            Value(f"{label}, test error", shown_error(ran), f"{PAPER[label]:.2%} (34 layers, ImageNet)"),
            Value(f"{label}, parameters", f"{parameters[label]:,}", None),
        )
    ]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    ours = ", ".join(f"{label} {shown_error(ran)}" for label, ran in results.items()) + " test error"
    return Findings(claims, values, [row_chart("Test error", rows, bars=True, shares=True)], ours)


REPRODUCTION = Reproduction(
    name="shortcut-options",
    title="Shortcut options A, B and C",
    effect="all three options beat none; projections are not essential",
    claim="Options A, B and C are all considerably better than the plain network; the small differences among them "
    "show that projections are not essential.",
    paper="He et al. 2015 (arXiv:1512.03385), section 4.1, Table 3",
    plans=plans,
    read=read,
    differences=(
        f"ResNet-{DEPTH} for CIFAR-10 in place of ResNet-34 for ImageNet, so that figures cannot be compared",
    ),
)
