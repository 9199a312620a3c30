"""Pictures of what a network sees: overlays, filters, feature maps, embeddings.

Every function takes plain arrays and returns a matplotlib figure, which `save` writes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from cnnlab.text import TITLE_LETTERS, drawable

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

INK, GREY, ACCENT = "#2b2d33", "#8a8f98", "#3b6fb6"
HEAT = "inferno"
LEAST_SIDE = 240  # smaller images are shown with their pixels, larger ones smoothly


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, facecolor="white")
    return path


def overlay(
    image: Image, heats: Mapping[str, Floats], *, title: str, probabilities: Mapping[str, float], target: str
) -> Figure:
    """An image (H, W, 3), each heat map (H, W) in [0, 1] laid over it, and the most probable classes as bars.

    `heats` are by what to write under them; `probabilities` by class name, most probable first; the bar of the class
    that is explained, `target`, is coloured.
    """
    width = 2.5 * (1 + len(heats)) + 2.8
    figure = Figure(figsize=(width, 3.1), layout="constrained")
    figure.suptitle(
        drawable(title, TITLE_LETTERS), x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, parse_math=False
    )
    panels = figure.subplots(1, 2 + len(heats), width_ratios=[2.5] * (1 + len(heats)) + [2.0])
    _show(panels[0], image, "what the network saw")
    for axes, (name, heat) in zip(panels[1:-1], heats.items(), strict=True):
        _show(axes, blend(image, heat), name)
    _bars(panels[-1], probabilities, target)
    return figure


def blend(image: Image, heat: Floats) -> Image:
    """An image (H, W, 3) under the colours of a heat map (H, W) in [0, 1]: dimmed and grey where that is 0."""
    from matplotlib import colormaps

    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.45 + 30
    strength = (heat.clip(0, 1) ** 0.8)[:, :, None]
    colours = colormaps[HEAT](0.25 + 0.75 * heat.clip(0, 1))[:, :, :3] * 255
    mixed = (1 - strength) * grey + strength * (0.5 * image + 0.5 * colours)
    return np.asarray(mixed.clip(0, 255), np.uint8)


def filters(weights: Floats, *, title: str) -> Figure:
    """Filters (K, C, h, w) of a first layer: in colour where C is 3, else the first channel of each, blue to red.

    Each is scaled by its own largest weight; in colour, grey is 0.
    """
    coloured = weights.shape[1] == 3
    size = np.abs(weights).max(axis=(1, 2, 3), keepdims=True).clip(min=1e-12)
    shown = (weights / size).transpose(0, 2, 3, 1)
    figure, panels = _grid(len(weights), title, 0.75)
    for axes, each in zip(panels, shown, strict=False):
        axes.imshow(each / 2 + 0.5 if coloured else each[:, :, 0], cmap="RdBu_r", vmin=-1, vmax=1)
    return figure


def maps(values: Floats, *, title: str) -> Figure:
    """Maps (C, h, w) of one layer for one image, each from its smallest to its largest value."""
    figure, panels = _grid(len(values), title, 0.85)
    for axes, each in zip(panels, values, strict=False):
        axes.imshow(each, cmap="viridis", interpolation="nearest")
    return figure


def scatter(points: Floats, labels: npt.NDArray[np.int64], names: Sequence[str], *, title: str) -> Figure:
    """Points (N, 2) coloured by their label (N,), each class named beside the middle of its points."""
    from matplotlib import colormaps

    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    axes = figure.subplots()
    axes.set_title(drawable(title, TITLE_LETTERS), loc="left", fontsize=11, color=INK, parse_math=False)
    palette = colormaps["tab10" if len(names) <= 10 else "tab20"]
    for number, name in enumerate(names):
        mine = points[labels == number]
        if len(mine):
            colour = palette(number % palette.N)
            axes.scatter(mine[:, 0], mine[:, 1], s=9, color=colour, alpha=0.55, linewidths=0)
            box = {"facecolor": "white", "edgecolor": colour, "boxstyle": "round,pad=0.2", "alpha": 0.85}
            axes.annotate(
                drawable(name),
                np.median(mine, axis=0),
                fontsize=8,
                ha="center",
                va="center",
                bbox=box,
                parse_math=False,
            )
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#d7dae0")
    return figure


# -- parts ------------------------------------------------------------------------------------------------------


def _show(axes: Any, image: Image, caption: str) -> None:
    axes.imshow(image, interpolation=_interpolation(image))
    axes.set_title(drawable(caption), fontsize=8.5, color=GREY, loc="left", parse_math=False)
    axes.axis("off")


def _interpolation(image: Image) -> str:
    return "nearest" if max(image.shape[:2]) < LEAST_SIDE else "antialiased"


def _bars(axes: Any, probabilities: Mapping[str, float], target: str) -> None:
    names, values = list(probabilities), list(probabilities.values())
    colours = [ACCENT if name == target else "#c9ced6" for name in names]
    axes.barh(range(len(names)), values, color=colours, height=0.62)
    for place, (name, value) in enumerate(probabilities.items()):
        label = f"{drawable(name)}  {100 * value:.1f}%"
        axes.text(0, place - 0.36, label, fontsize=8, color=INK, va="bottom", parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.5, -0.9)
    axes.axis("off")


def _grid(count: int, title: str, inches: float) -> tuple[Figure, list[Any]]:
    """A figure of `count` equal panels without axes, at most 12 a row."""
    columns = min(12, math.ceil(math.sqrt(count * 1.6)))
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(4.0, columns * inches), rows * inches + 0.5), layout="constrained")
    figure.suptitle(drawable(title, TITLE_LETTERS), x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.axis("off")
    return figure, panels
