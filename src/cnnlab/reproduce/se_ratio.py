"""How narrow the bottleneck of a squeeze-and-excitation block may be (Hu et al. 2017, the table of ratios)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import torch

from cnnlab.models.catalog import create_model
from cnnlab.models.describe import count_parameters
from cnnlab.recipes import senet2017
from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Claim, Value
from cnnlab.reproduce import degradation
from cnnlab.reproduce.judge import fact, not_worse, worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

RATIOS = {Budget.QUICK: (4, 8, 16), Budget.FULL: (4, 8, 16, 32)}
PAPER = {0: 0.2480, 4: 0.2321, 8: 0.2319, 16: 0.2329, 32: 0.2340}  # top-1 error of (SE-)ResNet-50, ImageNet
VERIFIED = (0, 16)  # the others are from memory
OWN = 16
MARGIN = 0.02


def plan(budget: Budget, ratio: int) -> Plan:
    """A residual network with SE blocks of this ratio; 0: none.

    Full: ResNet-50 on ImageNet, from a folder `imagenet` where the command is given.
    """
    if budget is Budget.FULL:
        whole = Plan(replace(senet2017.IMAGENET, model="resnet50_v1"), data="imagenet")
        model = "legacy_seresnet50"
    else:
        whole, model = degradation.plan(budget, "resnet20"), "seresnet20"
    if not ratio:
        return whole
    return replace(whole, recipe=replace(whole.recipe, model=model, model_options={"reduction": ratio}))


def label_of(ratio: int) -> str:
    """What a run is called: its ratio, or that there is no SE block."""
    return f"r = {ratio}" if ratio else "no SE"


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Without SE blocks, and with those of each ratio."""
    return {label_of(ratio): plan(budget, ratio) for ratio in (0, *RATIOS[budget])}


@cache
def weights(ratio: int) -> int:
    """The parameters of ResNet-50 with SE blocks of this ratio; 0: none."""
    with torch.device("meta"):
        if not ratio:
            return count_parameters(create_model("resnet50_v1"))
        return count_parameters(create_model("legacy_seresnet50", reduction=ratio))


def read(results: Results) -> Findings:
    """Hold the paper's ratio against none, and against the widest bottleneck."""
    ratios = [ratio for ratio in PAPER if label_of(ratio) in results]
    counted = {ratio: weights(ratio) for ratio in PAPER}
    none, own, wide = (results[label_of(ratio)] for ratio in (0, OWN, 4))
    claims: list[Claim] = [
        worse("without SE blocks more test errors than with those of r = 16", none, own),
        not_worse("r = 16 errs no more than r = 4, with four times the units", own, wide, margin=MARGIN),
        fact(
            "SE blocks of r = 16 add 10% to ResNet-50's parameters",
            0.095 <= counted[OWN] / counted[0] - 1 < 0.105,
            f"{counted[0]:,} and {counted[OWN]:,}",
        ),
    ]
    values = [
        *(Value(f"{label_of(r)}, test error", shown_error(results[label_of(r)]), _paper(r)) for r in ratios),
        *(Value(f"{label_of(r)}, ResNet-50's parameters", f"{counted[r]:,}", None) for r in PAPER),
    ]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    lines = [Line(label, ran[0].curve("val"), place) for place, (label, ran) in enumerate(results.items())]
    ours = ", ".join(f"{label} {shown_error(ran)}" for label, ran in results.items()) + " test error"
    return Findings(
        claims,
        values,
        [
            row_chart("Test error", rows, bars=True, shares=True),
            line_chart("Validation accuracy", lines, x_label="step", shares=True),
        ],
        ours,
    )


def _paper(ratio: int) -> str:
    return f"{PAPER[ratio]:.2%} (ImageNet{'' if ratio in VERIFIED else ', unverified'})"


REPRODUCTION = Reproduction(
    name="se-ratio",
    title="Squeeze-and-excitation and its ratio",
    effect="SE blocks lower the error; their ratio hardly matters",
    claim="SE blocks lower the error of ResNet-50 from 24.80% to 23.29%; more units in them (a smaller ratio r) do not "
    "lower it steadily, and r = 16 is a good trade (the ratios' figures unverified).",
    paper="Hu et al. 2017 (arXiv:1709.01507), Table 2 and the table of ratios (unverified: from memory)",
    plans=plans,
    read=read,
    differences=(
        "quick: ResNet-20 for CIFAR-10 in place of ResNet-50, so that only the effect can be compared, not figures; "
        "of its 16 to 64 channels r = 16 leaves one to four units",
        f"'no more' allows {100 * MARGIN:g} points",
    ),
)
