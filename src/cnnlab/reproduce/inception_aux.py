"""What the auxiliary heads of GoogLeNet are worth: little (Szegedy et al. 2014, 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes import googlenet2014
from cnnlab.recipes.recipe import OneCycle, Recipe
from cnnlab.recipes.resnet2015 import CIFAR10
from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import not_worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

WEIGHT = 0.3
MARGIN = 0.02
QUICK_LR, QUICK_EPOCHS = 0.03, 5.0


def plan(budget: Budget, *, heads: bool) -> Plan:
    """GoogLeNet with or without its two auxiliary heads.

    Full: the paper's on ImageNet, from a folder `imagenet` where the command is given.
    """
    if budget is Budget.FULL:
        return Plan(_with(googlenet2014.IMAGENET, heads), data="imagenet")
    recipe = replace(
        CIFAR10,
        model="googlenet",
        optimizer=replace(CIFAR10.optimizer, lr=QUICK_LR),
        schedule=OneCycle(peak_at=0.2),
        initialisation="own",
    )
    return quick(_with(recipe, heads), epochs=QUICK_EPOCHS, pixels=32)


def _with(recipe: Recipe, heads: bool) -> Recipe:
    return replace(recipe, model_options={"aux_heads": heads}, aux_weight=WEIGHT if heads else 0.0)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """With the heads and without."""
    return {"with heads": plan(budget, heads=True), "without": plan(budget, heads=False)}


def halfway(results: Results, label: str) -> float:
    """The validation accuracy of the first seed when half of the training is over."""
    curve = results[label][0].curve("val")
    return next((top1 for step, top1 in curve if step >= curve[-1][0] / 2), 0.0)


def read(results: Results) -> Findings:
    """Ask whether the heads do harm, and whether they do more than a little good."""
    heads, without = results["with heads"], results["without"]
    claims = [
        not_worse("with heads no more errors than without", heads, without, margin=MARGIN),
        not_worse("without heads no more errors than with: the effect is minor", without, heads, margin=MARGIN),
    ]
    gain = test_error(without) - test_error(heads)
    values = [
        *(Value(f"{label}, test error", shown_error(ran), None) for label, ran in results.items()),
        Value("gain by the heads", f"{100 * gain:+.1f} points", "around 0.5% (ImageNet, unverified)"),
        *(
            Value(f"{label}, validation accuracy halfway", f"{halfway(results, label):.1%}", "the same (unverified)")
            for label in results
        ),
        *(Value(f"{label}, parameters in training", f"{ran[0].parameters:,}", None) for label, ran in results.items()),
    ]
    lines = [Line(label, ran[0].curve("val"), place) for place, (label, ran) in enumerate(results.items())]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    return Findings(
        claims,
        values,
        [
            line_chart("Validation accuracy", lines, x_label="step", shares=True),
            row_chart("Test error", rows, bars=True, shares=True),
        ],
        f"with heads {shown_error(heads)}, without {shown_error(without)} test error",
    )


REPRODUCTION = Reproduction(
    name="inception-aux",
    title="The auxiliary heads of GoogLeNet",
    effect="the auxiliary heads change the error by little",
    claim="The effect of the auxiliary heads is relatively minor, around 0.5%; they do not help early in training, and "
    "the network with them is a little better at its end (unverified: from memory).",
    paper="Szegedy et al. 2014 (arXiv:1409.4842), section 5, heads and weight 0.3; the effect from there and from "
    "Szegedy et al. 2015 (arXiv:1512.00567), section 4 (unverified)",
    plans=plans,
    read=read,
    differences=(
        "quick: torchvision's GoogLeNet, which has batch normalisation, on CIFAR-10, where its maps are 4x4 to 1x1",
        "quick: the optimizer of ResNet's CIFAR recipe, the rate rising to "
        f"{QUICK_LR:g} and falling to 0; the networks' own initialisation",
        f"'no more' allows {100 * MARGIN:g} points",
    ),
)
