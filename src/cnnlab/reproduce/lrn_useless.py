"""Local response normalisation does not help a VGG (Simonyan & Zisserman 2014, Table 3: A against A-LRN)."""

from __future__ import annotations

from collections.abc import Mapping

from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Value
from cnnlab.reproduce import vgg_depth
from cnnlab.reproduce.judge import exact, not_worse
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import Findings, Reproduction
from cnnlab.reproduce.runs import Results, shown_error, test_error

PAPER = {"A": ("29.6%", "10.4%"), "A-LRN": ("29.7%", "10.5%")}  # top-1, top-5 error
MARGIN = 0.02


def plans(budget: Budget) -> Mapping[str, Plan]:
    """Column A is a run of `vgg-depth`; A-LRN differs in the normalisation alone."""
    return {"A": vgg_depth.plan(budget, "A"), "A-LRN": vgg_depth.plan(budget, "A-LRN")}


def read(results: Results) -> Findings:
    """Ask whether A, without normalisation, is as good as with it."""
    without, with_lrn = results["A"], results["A-LRN"]
    claims = [
        not_worse("A errs no more than A with LRN", without, with_lrn, margin=MARGIN),
        exact("LRN has no parameters: those of A-LRN are those of A", with_lrn[0].parameters, without[0].parameters),
    ]
    values = [
        value
        for label, ran in results.items()
        for value in (
            Value(f"{label}, test error", shown_error(ran), f"{PAPER[label][0]} (ImageNet)"),
            Value(f"{label}, training and test", f"{ran[0].seconds:.0f} s", None),
        )
    ]
    rows = [Row(label, test_error(ran), colour=place) for place, (label, ran) in enumerate(results.items())]
    lines = [Line(label, ran[0].curve("val"), place) for place, (label, ran) in enumerate(results.items())]
    return Findings(
        claims,
        values,
        [
            row_chart("Test error", rows, bars=True, shares=True),
            line_chart("Validation accuracy", lines, x_label="step", shares=True),
        ],
        f"A {shown_error(without)}, with LRN {shown_error(with_lrn)} test error",
    )


REPRODUCTION = Reproduction(
    name="lrn-useless",
    title="Local response normalisation does not help",
    effect="VGG's net A with LRN is no better than without",
    claim="Local response normalisation does not improve on net A without normalisation; it costs memory and time.",
    paper="Simonyan and Zisserman 2014 (arXiv:1409.1556), section 4.1, Table 3, A and A-LRN",
    plans=plans,
    read=read,
    differences=(*vgg_depth.DIFFERENCES, f"'no more' allows {100 * MARGIN:g} points"),
)
