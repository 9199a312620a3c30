from __future__ import annotations

import re

import pytest

from cnnlab.models.catalog import MODELS
from cnnlab.models.paper_figures import FIGURES
from cnnlab.models.summary import summarise_model


def test_every_figure_is_of_a_network_and_says_where_it_is_from() -> None:
    assert FIGURES.keys() <= MODELS.keys()
    for name, figures in FIGURES.items():
        assert figures.parameters or figures.macs, name
        assert re.search(r"(18|19|20)\d\d.*\[[TSC]\]$", figures.source), name
        assert re.search(r"\d", figures.text), name


@pytest.mark.parametrize("name", FIGURES)
def test_ours_is_near_the_paper_or_a_note_says_why_not(name: str) -> None:
    figures, found = FIGURES[name], summarise_model(name)
    ours = (found.parameters - found.unused_parameters, found.macs)
    for their, our in zip((figures.parameters, figures.macs), ours, strict=True):
        if their is not None:
            assert our == pytest.approx(their, rel=0.04) or figures.note, (name, our, their)
            assert our == pytest.approx(their, rel=0.25), (name, our, their)


def test_the_connections_of_lenet5_are_its_macs_and_what_the_note_names() -> None:
    assert FIGURES["lenet5"].macs == summarise_model("lenet5").macs + 6_508 + 7_880 + 840


def test_the_separable_convolution_explains_the_operations_of_googlenet() -> None:
    dense, separable = 64 * 3 * 49 * 112**2, (24 * 49 + 24 * 64) * 112**2
    paper = FIGURES["googlenet_2014"].macs
    assert summarise_model("googlenet_2014").macs - dense + separable == pytest.approx(paper, rel=0.003)


def test_squeezed_and_rescaled_maps_explain_the_operations_of_senet() -> None:
    maps = sum(
        blocks * width * side**2 for blocks, width, side in [(3, 256, 56), (4, 512, 28), (6, 1024, 14), (3, 2048, 7)]
    )
    macs = summarise_model("legacy_seresnet50").macs + 2 * maps
    assert round(macs / 1e9, 2) == 3.87
