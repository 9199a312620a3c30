"""Strict values; those of the data room that a photo's crop becomes have the same fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cnnlab.data import crops
from cnnlab.errors import UsageError
from cnnlab.recipes.augmentation import Erasing, RandomArea, ScaleJitter

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (RandomArea, {"pixels": 9, "area": (0.5, 0.2)}, r"area must run from low to high and end at 1 or below; seen"),
    (RandomArea, {"pixels": 9, "area": (0.5, 1.2)}, "area must run"),
    (RandomArea, {"pixels": 9, "aspect": (2, 1)}, "aspect must run from low to high; seen"),
    (RandomArea, {"pixels": 9, "interpolations": ()}, "no interpolations"),
    (ScaleJitter, {"pixels": 9, "shorter_side": (20, 10)}, "shorter_side must run"),
    (ScaleJitter, {"pixels": 30, "shorter_side": (20, 40)}, "cuts 30 pixels out of a shorter side of 20"),
    (Erasing, {"area": (0.5, 2.0)}, "area must run"),
]


@pytest.mark.parametrize(("kind", "values", "message"), WRONG)
def test_ranges_that_run_backwards_are_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kind(**values)


@pytest.mark.parametrize(("ours", "theirs"), [(RandomArea, crops.RandomArea), (ScaleJitter, crops.ScaleJitter)])
def test_crops_have_the_fields_and_defaults_of_the_data_rooms(ours: Any, theirs: Any) -> None:
    values = dataclasses.asdict(ours(pixels=9))
    assert values.pop("kind")
    assert dataclasses.asdict(theirs(pixels=9)) == values
