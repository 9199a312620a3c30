from __future__ import annotations

import dataclasses

import pytest

from cnnlab.types import Interpolation, Labels, Prediction, Preprocess, Split

VALUES = [
    Preprocess(256, 224, (0.5,), (0.2,)),
    Labels(("cat", "dog")),
    Prediction("a.jpg", ("cat",), (1.0,)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_the_nouns_cannot_be_changed_and_can_be_keys(value: object) -> None:
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, None)
    assert {value: 1}[dataclasses.replace(value)] == 1


def test_the_splits_are_the_three_of_the_design_and_print_as_typed() -> None:
    assert [str(split) for split in Split] == ["train", "val", "test"]


def test_a_plain_preprocessing_is_bilinear_and_has_no_mean_image() -> None:
    assert Preprocess(None, None, (0.5,), (0.2,)).interpolation is Interpolation.BILINEAR
    assert Preprocess(None, None, (0.5,), (0.2,)).mean_image is None
