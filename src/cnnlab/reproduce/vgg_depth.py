"""More layers of 3x3 convolutions err less, up to 16 to 19 (Simonyan & Zisserman 2014, Table 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.models.vgg import Column
from cnnlab.recipes import vgg2014
from cnnlab.recipes.recipe import Flip, OneCycle, Option, PadCrop
from cnnlab.report.charts import Line, Mark, line_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce.judge import rises, worse
from cnnlab.reproduce.plan import Budget, Plan, quick
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

COLUMNS = {"A": 11, "B": 13, "D": 16, "E": 19}  # of Table 1: weight layers
PAPER = {"A": 0.296, "B": 0.287, "D": 0.270, "E": 0.273}  # top-1 error, ImageNet, one scale of 256, Table 3
IMAGENET = {"A": "vgg11", "A-LRN": "vgg11_lrn", "B": "vgg13", "D": "vgg16", "E": "vgg19"}
WIDTH, HIDDEN, QUICK_EPOCHS, QUICK_LR = 16, 128, 8.0, 0.02


def plan(budget: Budget, column: Column) -> Plan:
    """The training of one column, from He's or Glorot's start; other reproductions share it.

    Full: on ImageNet, from a folder `imagenet` where the command is given.
    """
    if budget is Budget.FULL:
        recipe = replace(
            vgg2014.IMAGENET_A, model=IMAGENET[column], initialisation="own", initialisation_std=None, start=None
        )
        return Plan(recipe, data="imagenet")
    network: dict[str, Option] = {"width": WIDTH, "hidden": HIDDEN}
    recipe = replace(
        vgg2014.CIFAR10,
        model="vgg11_cifar" if column == "A" else "vgg_cifar",
        model_options=network if column == "A" else {**network, "column": column},
        dropout=0.0,
        optimizer=replace(vgg2014.CIFAR10.optimizer, lr=QUICK_LR),
        schedule=OneCycle(peak_at=0.2),
        augment=(PadCrop(pixels=4), Flip(probability=0.5)),
    )
    return quick(recipe, epochs=QUICK_EPOCHS, batch_size=32, pixels=32)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Columns A, B, D and E."""
    return {column: plan(budget, column) for column in ("A", "B", "D", "E")}


def read(results: Results) -> Findings:
    """Hold 11 layers against 16 and 19, and look for the trend."""
    errors = {column: test_error(results[column]) for column in COLUMNS}
    depths = list(COLUMNS.values())
    claims = [
        worse("11 layers (A) err more than 16 (D)", results["A"], results["D"]),
        worse("11 layers (A) err more than 19 (E)", results["A"], results["E"]),
        rises("accuracy rises with depth", depths, [1 - error for error in errors.values()]),
    ]
    values = [
        Value(
            f"{column}, {COLUMNS[column]} layers, test error", shown_error(results[column]), f"{paper:.1%} (ImageNet)"
        )
        for column, paper in PAPER.items()
    ]
    figures = [
        line_chart(
            "Test error by depth",
            [Line("ours", list(zip(depths, errors.values(), strict=True)))],
            x_label="weight layers",
            shares=True,
            marks=[Mark(f"paper's {column}, ImageNet", paper, COLUMNS[column]) for column, paper in PAPER.items()],
        ),
        line_chart(
            "Validation accuracy",
            [
                Line(f"{column}, {COLUMNS[column]} layers", results[column][0].curve("val"), place)
                for place, column in enumerate(COLUMNS)
            ],
            x_label="step",
            shares=True,
        ),
    ]
    ours = ", ".join(f"{column} {shown_error(results[column])}" for column in COLUMNS) + " test error"
    return Findings(claims, values, figures, ours)


DIFFERENCES = (
    f"quick: CIFAR-10 and networks of a quarter of the width ({WIDTH} to {8 * WIDTH} channels, {HIDDEN} hidden units), "
    "so that only the effect can be compared, not figures",
    f"quick: He's initialisation, no dropout, batches of 32 and a rate that rises to {QUICK_LR:g} and falls to 0, for "
    "so short a training would not get a deep network without batch normalisation going otherwise",
)

REPRODUCTION = Reproduction(
    name="vgg-depth",
    title="VGG: error falls with depth",
    effect="16 and 19 layers of 3x3 convolutions err less than 11",
    claim="The classification error decreases with depth, from 11 layers to 19, and saturates there.",
    paper="Simonyan and Zisserman 2014 (arXiv:1409.1556), section 4.1, Table 3",
    plans=plans,
    read=read,
    differences=(
        *DIFFERENCES,
        "full: all columns start by Glorot's rule, as the paper's footnote allows, where deeper ones took layers of A",
    ),
)
