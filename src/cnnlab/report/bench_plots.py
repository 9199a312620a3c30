"""The plots of `cnnlab bench` as pictures: what was predicted dashed, what was measured with its points."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlab.report.charts import whole_percent
from cnnlab.report.curves import GREY, TRAIN, VAL

Record = Mapping[str, Any]
COLOURS = (TRAIN, VAL, "#2a9d8f", "#e9a23b", "#7b5ea7", "#5c6b73")
MOST_TICKS = 8


def draw_bench(record: Record, folder: Path) -> list[Path]:
    """Draw every plot of a record of `cnnlab bench` into `folder`, as `<row>-<plot>.png`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        draw_plot(plot, folder / f"{row['row']}-{plot['name']}.png") for row in record["rows"] for plot in row["plots"]
    ]


def draw_plot(plot: Record, path: Path) -> Path:
    """Draw one plot; returns its path."""
    from matplotlib.figure import Figure  # 1 s to import: only where something is drawn

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(solid_labels(plot), COLOURS * len(plot["curves"]), strict=False))
    told: set[str] = set()
    for curve in plot["curves"]:
        x, y = zip(*curve["points"], strict=True)
        how: dict[str, Any] = {"linestyle": "--"} if curve["dashed"] else {"marker": "o", "markersize": 4}
        label = "_told" if curve["label"] in told else curve["label"]  # matplotlib leaves such labels out
        told.add(curve["label"])
        axes.plot(x, y, color=GREY if curve["dashed"] else colours[curve["label"]], linewidth=1.6, label=label, **how)
    _scale(axes, plot)
    axes.set_xlabel(plot["x_label"])
    axes.set_ylabel(plot["y_label"])
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    axes.set_title(plot["title"], fontsize=11, color="#333333", loc="left", parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # drawn as a box
        figure.savefig(path, dpi=130)
    return path


def solid_labels(plot: Record) -> list[str]:
    """The labels of what was measured, each once: curves of one label are runs of the same thing, in one colour."""
    return list(dict.fromkeys(curve["label"] for curve in plot["curves"] if not curve["dashed"]))


def _scale(axes: Any, plot: Record) -> None:
    """Where only a few whole numbers were measured, they are the ticks of x; accuracies are percentages."""
    if plot["log_x"]:
        axes.set_xscale("log")
    xs = sorted({x for curve in plot["curves"] for x, _ in curve["points"]})
    if len(xs) <= MOST_TICKS and all(x == int(x) for x in xs):
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
    if plot["shares"]:
        axes.yaxis.set_major_formatter(whole_percent_ticks)
    elif plot["from_zero"]:
        axes.set_ylim(0, 1.08 * max(y for curve in plot["curves"] for _, y in curve["points"]))


def whole_percent_ticks(value: float, place: int) -> str:
    """A tick of a share."""
    return whole_percent(value)
