from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnlab.explain.pictures import HEAT, blend, filters, maps, overlay, save, scatter


def drawn(figure: Figure, folder: Path) -> np.ndarray:
    return np.asarray(Image.open(save(figure, folder / "new" / "picture.png")).convert("RGB"))


def test_an_overlay_shows_heat_where_it_is() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[:, :4] = 1
    found = blend(image, heat).astype(int)
    assert (found[:, 4:] == found[0, 4, 0]).all()  # grey and dimmed
    assert found[0, 4, 0] < 200
    assert (found[:, :4, 0] > found[:, :4, 2]).all()  # warm
    assert HEAT == "inferno"


def test_an_overlay_has_a_panel_a_map_and_a_bar_a_class(tmp_path: Path) -> None:
    image, heat = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32)
    figure = overlay(
        image,
        {"grad-cam at layer3": heat, "occlusion": heat},
        title="a $cat$ \udcff.png",
        probabilities={"cat": 0.9, "dog_$": 0.1},
        target="cat",
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        *("what the network saw", "grad-cam at layer3", "occlusion", "")
    ]
    assert [bar.get_width() for bar in figure.axes[-1].patches] == [0.9, 0.1]
    assert [text.get_text() for text in figure.axes[-1].texts] == ["cat  90.0%", "dog_$  10.0%"]
    assert drawn(figure, tmp_path).std() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_and_maps_have_a_panel_each(channels: int, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(7, channels, 3, 3)).astype(np.float32)
    weights[0] = 0  # a filter of zeros is grey
    for figure in (filters(weights, title="seven"), maps(weights[:, 0], title="seven")):
        assert sum(bool(axes.images) for axes in figure.axes) == 7
        assert drawn(figure, tmp_path).std() > 0
    coloured = filters(weights, title="").axes[0].images[0].get_array()
    assert np.allclose(coloured, 0.5 if channels == 3 else 0.0)


def test_points_are_drawn_by_class(tmp_path: Path) -> None:
    points = np.array([[0, 0], [1, 1], [2, 2]], np.float32)
    figure = scatter(points, np.array([0, 0, 2]), ("a", "b", "c"), title="three")
    assert [len(each.get_offsets()) for each in figure.axes[0].collections] == [2, 1]
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "c"]
    assert drawn(figure, tmp_path).std() > 0
