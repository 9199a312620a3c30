"""Dropout against over-fitting (Krizhevsky et al. 2012, section 4.2; Lin et al. 2013, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes import nin2013
from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import vgg_depth
from cnnlab.reproduce.judge import fact, worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error, train_error

PAPER = {"without": "14.51% (unverified)", "with": "10.41%"}  # NIN on CIFAR-10, no augmentation
RATE, HIDDEN = 0.5, 512
QUICK_IMAGES, QUICK_EPOCHS = 2_000, 30.0


def plan(budget: Budget, dropout: float) -> Plan:
    """One training without augmentation, dropping this share of units."""
    if budget is Budget.FULL:
        return Plan(replace(nin2013.CIFAR10, augment=(), dropout=dropout))
    small = vgg_depth.plan(budget, "A")
    options = {**small.recipe.model_options, "hidden": HIDDEN}
    recipe = replace(small.recipe, augment=(), dropout=dropout, model_options=options)
    return replace(small, recipe=recipe, train_images=QUICK_IMAGES, epochs=QUICK_EPOCHS)


def plans(budget: Budget) -> Mapping[str, Plan]:
    """The same network without and with dropout."""
    return {"without": plan(budget, 0.0), "with": plan(budget, RATE)}


def read(results: Results) -> Findings:
    """Hold the test errors against each other, and what training and test are apart."""
    without, dropped = results["without"], results["with"]
    apart = {label: test_error(ran) - train_error(ran) for label, ran in results.items()}
    claims = [
        worse("without dropout the test error is larger", without, dropped),
        fact(
            "without dropout test and training error are further apart",
            apart["without"] > apart["with"],
            f"{100 * apart['without']:.1f} against {100 * apart['with']:.1f} points",
        ),
    ]
    values = [
        value
        for label, ran in results.items()
        for value in (
            Value(f"{label} dropout, test error", shown_error(ran), PAPER[label]),
            Value(f"{label} dropout, training error", f"{train_error(ran):.1%}", None),
        )
    ]
    rows = [
        Row(f"{label} dropout", test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())
    ]
    lines = [
        Line(f"{label}, {name}", ran[0].curve(split, "error"), place, dashed=split == "train")
        for place, (label, ran) in enumerate(results.items())
        for split, name in (("train", "training"), ("val", "validation"))
    ]
    return Findings(
        claims,
        values,
        [
            row_chart("Test error", rows, bars=True, shares=True),
            line_chart("Error, dashed while training", lines, x_label="step", shares=True),
        ],
        f"without {shown_error(without)}, with {shown_error(dropped)} test error",
    )


REPRODUCTION = Reproduction(
    name="dropout",
    title="Dropout against over-fitting",
    effect="without dropout more test errors, and further from the training error",
    claim="Without dropout the network over-fits substantially: NIN errs 14.51% without and 10.41% with it on CIFAR-10 "
    "(the former unverified).",
    paper="Krizhevsky et al. 2012, section 4.2 (over-fitting without dropout; unverified); Lin et al. 2013 "
    "(arXiv:1312.4400), section 4",
    plans=plans,
    read=read,
    differences=(
        f"quick: a quarter-width VGG of 11 layers with {HIDDEN} hidden units and dropout {RATE:g} on these, as in "
        f"AlexNet, on few images ({QUICK_IMAGES:,}), which it can learn by heart",
        "full: NIN's own recipe without augmentation",
        "training errors are counted while units drop out",
    ),
)
