"""A run's curves as a picture: loss, accuracy and learning rate by epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.text import TITLE_LETTERS, drawable

TRAIN, VAL, GREY = "#3b6fb6", "#d1495b", "#8a8f98"

Record = Mapping[str, Any]


def draw_curves(folder: Path, title: str) -> Path | None:
    """Draw `metrics.jsonl` of a run folder into its `curves.png`; returns its path, None without records."""
    records = _read(folder / "metrics.jsonl")
    train = [each for each in records if each["split"] == "train"]
    val = [each for each in records if each["split"] == "val"]
    if not train:
        return None
    from matplotlib.figure import Figure  # 1 s to import: only where something is drawn

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    loss, accuracy, lr = figure.subplots(1, 3)
    _line(loss, train, "loss", TRAIN, "train")
    _line(loss, val, "loss", VAL, "validation")
    loss.set_title("Loss")
    _line(accuracy, train, "top1", TRAIN, "train", scale=100)
    _line(accuracy, val, "top1", VAL, "validation", scale=100)
    accuracy.set_title("Accuracy, %")
    _line(lr, train, "lr", GREY, "learning rate")
    lr.set_title("Learning rate")
    for axes in (loss, accuracy, lr):
        _tidy(axes)
    loss.legend(frameon=False)
    accuracy.legend(frameon=False, loc="lower right")
    if val:
        _mark_last(accuracy, val[-1])
    figure.suptitle(drawable(title, TITLE_LETTERS), fontsize=11, color="#333333", parse_math=False)
    path = folder / "curves.png"
    figure.savefig(path, dpi=130)
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _line(axes: Any, records: Sequence[Record], key: str, colour: str, label: str, scale: float = 1) -> None:
    if records:
        steps = [each["step"] for each in records]
        values = [each[key] * scale for each in records]
        marker = "o" if len(records) < 40 and label == "validation" else ""
        axes.plot(steps, values, color=colour, label=label, linewidth=1.6, marker=marker, markersize=3.5)


def _mark_last(axes: Any, record: Record) -> None:
    value = 100 * record["top1"]
    axes.annotate(
        f"{value:.1f}",
        (record["step"], value),
        xytext=(-4, -7),  # below: the training curve, which ends higher, mostly lies above
        textcoords="offset points",
        ha="right",
        va="top",
        color=VAL,
        fontsize=9,
        fontweight="bold",
    )


def _tidy(axes: Any) -> None:
    axes.set_xlabel("step")
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.title.set_fontsize(10)
    axes.set_ylim(bottom=0)
