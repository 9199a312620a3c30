from __future__ import annotations

import functools
from itertools import pairwise

import pytest
import torch

from cnnlab.explain.draw_block import Piece, draw_group, draw_unit, in_a_row
from cnnlab.explain.graph import trace
from cnnlab.explain.stages import Group, Plan, Unit, plan
from cnnlab.models import MODELS, create_model

from .drawn import Box, read


@functools.cache
def of(name: str) -> Plan:
    with torch.device("meta"):
        return plan(trace(create_model(name), MODELS[name].sizes))


def block(name: str, stage: str, group: int) -> Group:
    return next(each for each in of(name).stages if each.title == stage).groups[group]


def boxes(piece: Piece) -> list[Box]:
    """The layers of a piece, its axis at 0."""
    card = f'<rect class="card" x="0" y="{-piece.above}" width="{piece.width}" height="{piece.above + piece.below}"/>'
    found = read(f'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">{card}{piece.svg}</svg>').boxes
    return [box for box in found if box.kind not in ("card", "norm", "act", "drop")]


def middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def unit(name: str, stage: str, group: int) -> Unit:
    return block(name, stage, group).rows[0][0]


def test_the_branch_of_a_residual_block_is_on_the_axis_and_the_projection_above() -> None:
    projection, first, second, addition = boxes(draw_unit([unit("resnet34", "layer2", 0)]))
    assert [middle(each) for each in (first, second, addition)] == pytest.approx([0, 0, 0], abs=0.1)
    assert projection.bottom < first.top
    assert first.right < second.left < addition.left


def test_branches_lie_in_their_order_around_the_axis() -> None:
    found = boxes(draw_unit([unit("googlenet_2014", "inception3a–b", -1)]))
    bar = next(box for box in found if box.kind == "bar")
    rows = sorted({round(middle(box)) for box in found if box.kind != "bar"})
    assert len(rows) == 4
    assert middle(bar) == pytest.approx(0, abs=0.1)
    assert bar.top <= rows[0]
    assert rows[-1] <= bar.bottom
    assert max(box.right for box in found if box.kind != "bar") < bar.left
    ones = [middle(box) for box in found if box.kind == "point"]
    assert ones[0] == min(ones)  # the 1x1 branch is the first


def test_what_gates_stands_below_what_it_gates() -> None:
    found = boxes(draw_unit([unit("seresnet50", "layer1", 1)]))
    multiplication = next(box for box in found if box.kind == "join")
    squeezed = [box for box in found if box.kind == "linear"]
    assert middle(multiplication) == pytest.approx(0, abs=0.1)
    assert all(box.top > multiplication.bottom - 9 and middle(box) > 0 for box in squeezed)


def test_a_highway_has_its_input_above_and_its_gate_below() -> None:
    transform, gate = (box for box in boxes(draw_unit([unit("highway19", "stage1", -1)])) if box.kind == "conv")
    assert middle(transform) == pytest.approx(0, abs=0.1)
    assert gate.top > transform.bottom


def test_slices_of_res2net_go_down_in_steps() -> None:
    convs = [box for box in boxes(draw_unit([unit("res2net50_26w_4s", "layer1", 1)])) if box.kind == "conv"]
    assert len(convs) == 3
    for before, after in pairwise(convs):
        assert after.left > before.right
        assert after.top > before.bottom


def test_widths_of_folded_blocks_are_ranges() -> None:
    svg = draw_group(block("googlenet_2014", "inception4a–e", -1)).svg
    assert ">112–256<" in svg
    assert ">×5<" in svg
    assert ">32 groups<" in draw_group(block("resnext50_32x4d", "layer1", 1)).svg


def test_a_folded_block_counts_all_its_layers() -> None:
    svg = draw_group(block("resnet34", "layer3", 1)).svg  # five blocks of two convolutions
    assert svg.count('data-layers="5"') == 2
    assert 'data-layers="1"' not in svg


def test_pieces_in_a_row_are_as_wide_as_all_and_as_high_as_the_highest() -> None:
    row = in_a_row([Piece(10, 5, 6, ""), Piece(20, 7, 2, "")])
    assert (row.width, row.above, row.below) == (10 + 14 + 20, 7, 6)


def test_a_piece_says_how_much_room_it_needs() -> None:
    for name, stage, group in [
        ("inception_v3", "Mixed_7a–c", 1),
        ("resnet50", "layer1", 0),
        ("densenet121", "stem", 0),
    ]:
        piece = draw_group(block(name, stage, group))
        for box in boxes(piece):
            assert box.left >= 0
            assert box.right <= piece.width
            assert -piece.above <= box.top + 0.1
            assert box.bottom <= piece.below + 0.1
