from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cnnlab.errors import UnknownNameError
from cnnlab.evaluate.protocols import PROTOCOLS, as_is, both, get_protocol, mirrored, shifted

VIEWS = {"center": 1, "flip": 2, "shift6": 6}
ROWS = torch.arange(12.0).view(1, 1, 3, 4)  # 0 1 2 3 / 4 5 6 7 / 8 9 10 11

# The views of ROWS written out by hand.
AS_IS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
MIRRORED = [[3, 2, 1, 0], [7, 6, 5, 4], [11, 10, 9, 8]]
UP_LEFT = [[5, 6, 7, 6], [9, 10, 11, 10], [5, 6, 7, 6]]
UP_LEFT_MIRRORED = [[6, 7, 6, 5], [10, 11, 10, 9], [6, 7, 6, 5]]
DOWN_RIGHT = [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6]]
DOWN_RIGHT_MIRRORED = [[6, 5, 4, 5], [2, 1, 0, 1], [6, 5, 4, 5]]
BY_HAND: dict[str, list[tuple[list[list[int]], float]]] = {
    "center": [(AS_IS, 1.0)],
    "flip": [(AS_IS, 0.5), (MIRRORED, 0.5)],
    "shift6": [
        (AS_IS, 0.25),
        (MIRRORED, 0.25),
        (UP_LEFT, 0.125),
        (UP_LEFT_MIRRORED, 0.125),
        (DOWN_RIGHT, 0.125),
        (DOWN_RIGHT_MIRRORED, 0.125),
    ],
}

every_protocol = pytest.mark.parametrize("name", PROTOCOLS)


@every_protocol
def test_its_views_are_those_drawn_by_hand(name: str) -> None:
    seen = [(view(ROWS)[0, 0].int().tolist(), weight) for view, weight in get_protocol(name).views]
    assert seen == BY_HAND[name]


@every_protocol
def test_its_weights_sum_to_one(name: str) -> None:
    assert sum(weight for _, weight in get_protocol(name).views) == 1.0


@every_protocol
def test_it_is_called_what_the_catalogue_calls_it(name: str) -> None:
    assert get_protocol(name).name == name
    assert len(get_protocol(name).views) == VIEWS[name]


@every_protocol
def test_its_views_keep_the_shape_and_leave_the_images_alone(name: str) -> None:
    images = torch.rand(2, 3, 8, 6)
    before = images.clone()
    shapes = {view(images).shape for view, _ in get_protocol(name).views}
    assert shapes == {images.shape}
    assert torch.equal(images, before)


@given(st.integers(1, 3))
def test_shifting_there_and_back_keeps_the_middle(pixels: int) -> None:
    images = torch.rand(1, 1, 9, 9)
    back: Tensor = both(shifted(pixels), shifted(-pixels))(images)
    inside = slice(pixels, -pixels)
    assert torch.equal(back[:, :, inside, inside], images[:, :, inside, inside])


def test_mirroring_twice_changes_nothing() -> None:
    assert torch.equal(both(mirrored, mirrored)(ROWS), as_is(ROWS))


def test_a_misspelt_protocol_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="no protocol 'centre'; did you mean 'center'"):
        get_protocol("centre")
