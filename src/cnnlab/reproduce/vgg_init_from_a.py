"""A deep VGG needs a trained start where its weights are small and random (Simonyan & Zisserman 2014, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes import vgg2014
from cnnlab.recipes.recipe import CopyLayers
from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import vgg_depth
from cnnlab.reproduce.judge import worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

STD = {Budget.QUICK: 0.05, Budget.FULL: 0.01}
EPOCHS = 5.0


def plans(budget: Budget) -> Mapping[str, Plan]:
    """A from random weights; D from as random ones, and with seven layers of that A."""
    shallow, deep = (_gaussian(vgg_depth.plan(budget, column), budget) for column in ("A", "D"))
    start = replace(vgg2014.FROM_A_TO_B_AND_DEEPER, model=shallow.recipe.model)
    return {"A, random": shallow, "D, random": deep, "D, from A": _from(deep, shallow, start)}


def _gaussian(plan: Plan, budget: Budget) -> Plan:
    recipe = replace(plan.recipe, initialisation="gaussian", initialisation_std=STD[budget])
    return replace(plan, recipe=recipe, epochs=EPOCHS if budget is Budget.QUICK else None)


def _from(deep: Plan, shallow: Plan, start: CopyLayers) -> Plan:
    return replace(deep, recipe=replace(deep.recipe, start=start), start=shallow)


def read(results: Results) -> Findings:
    """Hold the two starts of D against each other."""
    random, copied, shallow = results["D, random"], results["D, from A"], results["A, random"]
    claims = [
        worse("D from random weights errs more than D with layers of a trained A", random, copied),
        worse("D from random weights errs more than A from random weights, shallow enough to train", random, shallow),
    ]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    lines = [Line(label, ran[0].curve("train", "loss"), place) for place, (label, ran) in enumerate(results.items())]
    return Findings(
        claims,
        [Value(f"{label}, test error", shown_error(ran), None) for label, ran in results.items()],
        [
            line_chart("Training loss", lines, x_label="step"),
            row_chart("Test error", rows, bars=True, shares=True),
        ],
        ", ".join(f"{label} {shown_error(ran)}" for label, ran in results.items()) + " test error",
    )


REPRODUCTION = Reproduction(
    name="vgg-init-from-a",
    title="A deep VGG started from a shallow one",
    effect="16 layers with small random weights stall; started from trained layers of net A they learn",
    claim="Bad initialisation can stall learning in deep networks: net A is shallow enough to train from random "
    "weights, and deeper ones take its first four convolutions and its fully-connected layers.",
    paper="Simonyan and Zisserman 2014 (arXiv:1409.1556), section 3.1; it gives no figures",
    plans=plans,
    read=read,
    differences=(
        vgg_depth.DIFFERENCES[0],
        f"quick: weights of a normal deviation of {STD[Budget.QUICK]:g}, for a quarter of the width; the text has "
        f"0.1, the released Caffe files {STD[Budget.FULL]:g}, which full has",
        "quick: no dropout, batches of 32 and a rate that rises and falls",
        "D from A has had the training of A before its own, as in the paper",
    ),
)
