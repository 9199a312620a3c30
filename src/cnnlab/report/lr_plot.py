"""A learning-rate range test as a picture: loss against learning rate, and the rate chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnlab.report.curves import GREY, TRAIN, VAL
from cnnlab.text import TITLE_LETTERS, drawable


def draw_lr_range(
    path: Path, title: str, *, lrs: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], lr: float
) -> Path:
    """Draw the losses of a test, as they were and smoothed, with a line at the chosen rate `lr`; returns `path`."""
    from matplotlib.figure import Figure  # 1 s to import: only where something is drawn

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(lrs, losses, color=GREY, linewidth=0.8, label="loss of each step")
    axes.plot(lrs, smoothed, color=TRAIN, linewidth=1.8, label="smoothed")
    axes.axvline(lr, color=VAL, linewidth=1.2, label=f"chosen: {lr:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(0.9 * min(smoothed), 1.1 * max(smoothed))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    axes.set_title(drawable(title, TITLE_LETTERS), fontsize=11, color="#333333", parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path
