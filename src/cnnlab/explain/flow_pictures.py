"""Pictures of a training by depth: gradients, updates and activations over the steps; the chain rule's products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnnlab.explain.chain_rule import Chain
from cnnlab.explain.flow import LayerFlow, StepFlow
from cnnlab.text import TITLE_LETTERS, drawable

INK, GREY = "#2b2d33", "#8a8f98"
LEAST = 1e-12  # smaller numbers, and 0, are drawn as this
MOST_NAMES = 24
COLOURS = {"sigmoid": "#d1495b", "tanh": "#e0a030", "relu": "#3b6fb6"}

PANELS: dict[str, Callable[[LayerFlow], float]] = {
    "gradient norm": lambda layer: layer.gradient_norm,
    "update / weight": lambda layer: layer.update_ratio,
    "activations, root mean square": lambda layer: math.hypot(layer.mean, layer.deviation),
}


def flow_picture(flows: Sequence[StepFlow], *, title: str) -> Figure:
    """Depth against step, the colour a logarithm: gradient norm, update over weight, size of the activations.

    The first layer is at the top; highway gates are left out. A gradient that fades on its way back is dark at the top.
    """
    names = [layer.name for layer in flows[-1].without_gates]
    height = min(9.0, max(3.2, 0.16 * len(names) + 1.4))
    figure = Figure(figsize=(12.5, height), layout="constrained")
    figure.suptitle(drawable(title, TITLE_LETTERS), x=0.01, ha="left", fontsize=11, color=INK, parse_math=False)
    for number, (axes, (name, value)) in enumerate(zip(figure.subplots(1, 3), PANELS.items(), strict=True)):
        found = [{layer.name: value(layer) for layer in flow.layers} for flow in flows]
        _panel(axes, name, np.array([[seen.get(each, 0.0) for seen in found] for each in names]), flows)
        _name_layers(axes, names if number == 0 else [])
        figure.colorbar(axes.images[0], ax=axes, shrink=0.85, label="log10")
    return figure


def _panel(axes: Any, name: str, values: np.ndarray, flows: Sequence[StepFlow]) -> None:
    logs = np.log10(np.nan_to_num(values, nan=LEAST, posinf=1e12).clip(LEAST, 1e12))
    low, high = np.floor(logs.min()), np.ceil(logs.max())
    axes.imshow(logs, aspect="auto", cmap="magma", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
    axes.set_title(name, fontsize=10, color=INK, loc="left")
    shown = sorted({round(place) for place in np.linspace(0, len(flows) - 1, min(6, len(flows)))})
    axes.set_xticks(shown, [str(flows[place].step) for place in shown], fontsize=8)
    axes.set_xlabel("step", color=INK)


def _name_layers(axes: Any, names: Sequence[str]) -> None:
    every = max(1, math.ceil(len(names) / MOST_NAMES))
    axes.set_yticks(range(0, len(names), every), names[::every], fontsize=7, parse_math=False)


def chain_picture(chains: Sequence[Chain]) -> Figure:
    """The derivative of the output by the input against depth, one line a chain, dashed with a shortcut."""
    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.set_title("One neuron a layer: derivative of the output by the input", fontsize=11, color=INK, loc="left")
    for each in chains:
        depths = range(1, len(each.products) + 1)
        values = [abs(product) or math.nan for product in each.products]
        name = f"{each.activation} with shortcut" if each.shortcut else each.activation
        style = "--" if each.shortcut else "-"
        axes.plot(depths, values, style, color=COLOURS[each.activation], linewidth=2, label=name)
    axes.set_yscale("log")
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.set_xlabel("depth, layers", color=INK)
    axes.set_ylabel("|product of derivatives|", color=INK)
    axes.grid(visible=True, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure
