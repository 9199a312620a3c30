"""Colour noise along the principal axes of RGB (Krizhevsky et al. 2012, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cnnlab.recipes import alexnet2012
from cnnlab.recipes.recipe import Flip, PcaNoise
from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import augmentation_value
from cnnlab.reproduce.judge import difference, worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

STD = 0.1  # of the paper


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Without and with the noise.

    Full: AlexNet on ImageNet, from a folder `imagenet` where the command is given.
    """
    if budget is Budget.FULL:
        noisy = Plan(alexnet2012.IMAGENET, data="imagenet")
        plain = replace(noisy, recipe=replace(alexnet2012.IMAGENET, augment=(Flip(probability=0.5),)))
    else:
        plain = augmentation_value.plan(budget, augmentation_value.AUGMENTATIONS["shifted, mirrored"])
        augment = (PcaNoise(std=STD, source="data"), *plain.recipe.augment)
        noisy = replace(plain, recipe=replace(plain.recipe, augment=augment))
    return {"without": plain, "with noise": noisy}


def read(results: Results) -> Findings:
    """Hold one against the other."""
    without, noisy = results["without"], results["with noise"]
    found = difference(without, noisy)
    low, high = (100 * end for end in found.interval95)
    values = [
        *(Value(f"{label}, test error", shown_error(ran), None) for label, ran in results.items()),
        Value(
            "gain by the noise",
            f"{100 * found.difference:+.1f} points ({low:+.1f} to {high:+.1f})",
            "over 1 point (top-1, ImageNet)",
        ),
    ]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    lines = [Line(label, ran[0].curve("val", "error"), place) for place, (label, ran) in enumerate(results.items())]
    return Findings(
        [worse("without the noise the test error is larger", without, noisy)],
        values,
        [
            row_chart("Test error", rows, bars=True, shares=True),
            line_chart("Validation error", lines, x_label="step", shares=True),
        ],
        f"without {shown_error(without)}, with noise {shown_error(noisy)} test error",
    )


REPRODUCTION = Reproduction(
    name="pca-noise",
    title="Colour noise along the axes of RGB",
    effect="with colour noise fewer test errors",
    claim="Noise along the principal axes of the colours takes more than 1 point off the top-1 error.",
    paper="Krizhevsky et al. 2012, section 4.1",
    plans=plans,
    read=read,
    differences=(
        "quick: ResNet-20 on a few images of CIFAR-10, shifted and mirrored, in place of AlexNet on ImageNet",
        f"noise of deviation {STD:g} times the eigenvalues of RGB in [0, 1]: the paper does not say its unit, and in "
        "this one the noise is a few grey levels",
    ),
)
