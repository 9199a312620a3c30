"""What several ways come to, each at the rate that validates best: figures that more than one reproduction shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cnnlab.report.charts import Line, Row, line_chart, row_chart
from cnnlab.report.reproduction_page import Claim, Value
from cnnlab.reproduce.reproduction import Findings
from cnnlab.reproduce.runs import Result, Results, best_on_validation, shown_error, test_error


def hold_at_best_rates(
    results: Results,
    tried: Mapping[str, Sequence[str]],
    claims: Callable[[Mapping[str, Sequence[Result]]], Sequence[Claim]],
) -> Findings:
    """Findings on ways that were each tried at several rates.

    Args:
        results: by label.
        tried: by the name of a way, the labels it was tried under; the one that validates best stands for it.
        claims: what is said of the results that stand for each way, by its name.
    """
    labels = {name: best_on_validation(results, under) for name, under in tried.items()}
    best = {name: results[label] for name, label in labels.items()}
    values = [Value(f"{label}, test error", shown_error(ran), None) for label, ran in results.items()]
    rows = [Row(name, test_error(ran), colour=place) for place, (name, ran) in enumerate(best.items())]
    lines = [Line(labels[name], ran[0].curve("val"), place) for place, (name, ran) in enumerate(best.items())]
    ours = ", ".join(f"{name} {shown_error(ran)}" for name, ran in best.items())
    figures = [
        row_chart("Test error, each at its better rate", rows, bars=True, shares=True),
        line_chart("Validation accuracy", lines, x_label="step", shares=True),
    ]
    return Findings(claims(best), values, figures, f"{ours} test error")
