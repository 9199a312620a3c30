from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
import torch

from cnnlab.errors import UnknownNameError, UsageError
from cnnlab.explain.draw import count_text, draw_network, draw_plan, shape_text
from cnnlab.explain.draw_style import CLASSES
from cnnlab.explain.graph import trace
from cnnlab.explain.stages import plan
from cnnlab.models import MODELS, Network, create_model
from cnnlab.models.table import read_table

from .drawn import BOXES, Box, read

TABLE = {row.name: row for row in read_table()}
SLOW = {  # seconds to build: the larger ones of a family whose smaller ones have the same shape
    *("resnet1202", "resnet152", "resnet152_v1", "resnetv2_152", "resnetv2_200", "resnetv2_1001"),
    *("seresnet152", "legacy_seresnet152", "wide_resnet101_2", "resnext101_32x8d", "resnext101_64x4d"),
    *("densenet161", "densenet201", "res2net101_26w_4s"),
}
every_network = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in MODELS]
)


@every_network
def test_a_drawing_is_sound_and_counts_every_layer(name: str) -> None:
    with torch.device("meta"):
        network = create_model(name)
    layers = weighted_layers(network)
    svg = draw_plan(plan(trace(network, MODELS[name].sizes)), name, MODELS[name].paper)
    drawing = read(svg)  # well-formed, or this raises
    assert drawing.total("data-layers") == layers
    assert drawing.total("data-parameters") == TABLE[name].parameters
    assert sum(int(card.get("data-macs", 0)) for card in drawing.root.iter() if is_stage(card)) == TABLE[name].macs
    assert f">{TABLE[name].depth} layers deep" in svg
    assert 400 <= drawing.width <= 1000
    assert 200 <= drawing.height <= 4200
    assert len(svg) < 90_000
    assert "<script" not in svg
    assert set(re.findall(r"https?://[^\"' <)]*", svg)) == {"http://www.w3.org/2000/svg"}
    check_layout(name, drawing.boxes, drawing.lines, drawing.width)


def weighted_layers(network: Network) -> int:
    """Modules with weights of their own that are no normalisation, auxiliary heads included."""
    own = [module for module in network.modules() if list(module.parameters(recurse=False))]
    return sum("Norm" not in type(module).__name__ for module in own)


def is_stage(element: ET.Element) -> bool:
    """Whether it is a card, and not that of an auxiliary head."""
    return "data-macs" in element.attrib and element[0].get("class") == "card"


def check_layout(name: str, boxes: tuple[Box, ...], lines: tuple[Box, ...], width: float) -> None:
    """Nothing overlaps, nothing leaves its card or the page, and no line runs through a layer."""
    drawn = [box for box in boxes if not box.kind.startswith("card")]
    assert drawn, name
    cards = [box for box in boxes if box.kind.startswith("card")]
    assert not [(name, a, b) for a, b in combinations(drawn, 2) if a.overlaps(b)]
    assert not [(name, a, b) for a, b in combinations(cards, 2) if a.overlaps(b)]
    for box in drawn:
        assert any(inside(box, card) for card in cards), (name, box)
    assert all(line.left >= 0 and line.right <= width for line in lines)
    for box in (each for each in drawn if each.kind in BOXES):
        inner = Box(box.kind, box.left + 1, box.top + 1, box.right - 1, box.bottom - 1)
        crossing = [line for line in lines if crosses(line, inner)]
        assert crossing == [], (name, box)


def inside(box: Box, card: Box) -> bool:
    return (
        card.left <= box.left
        and box.right <= card.right
        and card.top + 20 <= box.top
        and box.bottom <= card.bottom - 30
    )


def crosses(line: Box, box: Box) -> bool:
    return line.left < box.right and line.right > box.left and line.top < box.bottom and line.bottom > box.top


def test_the_same_network_gives_the_same_bytes() -> None:
    assert draw_network("googlenet_2014") == draw_network("googlenet_2014")


def test_shapes_stand_on_the_lines_in_order() -> None:
    svg = draw_network("resnet34")
    shapes = re.findall(r'class="shape">([^<]+)<', svg)
    assert shapes == ["224×224×3", "56×56×64", "56×56×64", "28×28×128", "14×14×256", "7×7×512", "1000"]


def test_repeated_blocks_are_folded_with_their_number() -> None:
    found = re.findall(r'class="badge-text">×(\d+)<', draw_network("resnet152"))
    assert found == ["2", "7", "35", "2"]  # the first block of each stage of 3, 8, 36, 3 is drawn on its own
    assert re.findall(r'class="badge-text">×(\d+)<', draw_network("densenet121")) == ["6", "12", "24", "16"]


def test_other_sizes_and_options_are_drawn() -> None:
    svg = draw_network("resnet20", pixels=64, num_classes=7, shortcut="B")
    assert ">64×64×3<" in svg
    assert 'class="shape">7<' in svg
    assert "Zero pad" not in svg
    assert "Zero pad" in draw_network("resnet20")
    assert ">8×112×112×3<" not in draw_network("resnet18_3d", pixels=64)


def test_auxiliary_heads_are_dashed_cards_of_their_own() -> None:
    svg = draw_network("googlenet_2014")
    assert "aux1, reads inception4a; for training" in svg
    assert "aux2, reads inception4d; for training" in svg
    assert svg.count('class="card aux"') == 2
    assert "aux" not in re.sub(r"<style>.*?</style>", "", draw_network("googlenet_2014", aux_heads=False), flags=re.S)


def test_who_does_not_see_it_is_told() -> None:
    root = read(draw_network("lenet5")).root
    title, described = root[0], root[1]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"
    assert title.text == "lenet5"
    assert described.text is not None
    assert "c3 gives 10×10×16" in described.text


def test_the_legend_shows_what_occurs_and_nothing_else() -> None:
    svg = draw_network("vgg16")
    legend = svg[svg.rindex("logits") :]
    for kind in CLASSES:
        assert (f">{kind.value}<" in legend) == (
            kind.value in {"convolution", "pooling", "fully connected", "activation", "dropout"}
        )


def test_cards_keep_the_order_of_the_network() -> None:
    cards = [box for box in read(draw_network("vgg19")).boxes if box.kind == "card"]
    assert len(cards) == 6
    for before, after in pairwise(cards):
        assert after.left > before.right or after.top > before.bottom


def test_counts_have_three_digits() -> None:
    assert [count_text(each) for each in (7, 928, 1_000, 11_689_512, 999_960, 138_357_544, 2_000_000_000)] == [
        *("7", "928", "1.00 k", "11.7 M", "1.00 M", "138 M", "2.00 G")
    ]


def test_shapes_are_channels_last() -> None:
    assert [shape_text(each) for each in ((64, 56, 28), (10,), (1, 1024), (3, 16, 112, 112))] == [
        *("56×28×64", "10", "1024×1", "16×112×112×3")
    ]


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(UnknownNameError, match="'resnet34'"):
        draw_network("resnet33")
    with pytest.raises(UsageError, match="no option 'shortcuts'"):
        draw_network("resnet20", shortcuts="A")
    with pytest.raises(UsageError, match="too small"):
        draw_network("inception_v3", pixels=32)
