from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab.explain.chain_rule import all_chains
from cnnlab.explain.flow import GateFlow, LayerFlow, StepFlow
from cnnlab.explain.flow_pictures import LEAST, chain_picture, flow_picture
from cnnlab.explain.pictures import save


def flow(step: int, *gradients: float) -> StepFlow:
    layers = tuple(
        LayerFlow(f"layer{number}", "Conv2d", "relu", 1.0, gradient, 0.01, 3.0, 4.0, 0.5, 0.0, 0.0)
        for number, gradient in enumerate(gradients)
    )
    return StepFlow(step, 0.0, 1.0, layers, gates=(GateFlow("layer2", 0.1),))


def test_the_picture_is_depth_by_step_in_powers_of_ten(tmp_path: Path) -> None:
    figure = flow_picture([flow(0, 1e-3, 1.0, 9.0), flow(50, 0.0, float("nan"), 9.0)], title="two steps")
    gradient, update, size = (axes.images[0].get_array() for axes in figure.axes[:3])
    assert np.allclose(gradient, [[-3, np.log10(LEAST)], [0, np.log10(LEAST)]])  # the gate is left out
    assert np.allclose(update, -2)
    assert np.allclose(size, np.log10(5))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "50"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["layer0", "layer1"]
    assert save(figure, tmp_path / "flow.png").stat().st_size > 5_000


def test_hundreds_of_layers_keep_their_names_readable() -> None:
    figure = flow_picture([flow(0, *[1.0] * 300)], title="deep")
    assert len(figure.axes[0].get_yticklabels()) <= 24


def test_a_line_a_chain(tmp_path: Path) -> None:
    chains = all_chains(depth=10)
    figure = chain_picture(chains)
    lines = figure.axes[0].lines[:6]
    for line, each in zip(lines, chains, strict=True):
        assert np.asarray(line.get_ydata(), float) == pytest.approx(np.array(each.products))
        assert line.get_linestyle() == ("--" if each.shortcut else "-")
    assert save(figure, tmp_path / "chain.png").stat().st_size > 5_000
