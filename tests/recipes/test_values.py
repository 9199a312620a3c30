from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from cnnlab.recipes.values import BelowOne, Count, Fraction, NotNegative, Positive


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        (Positive, 0.001, 0),
        (NotNegative, 0, -0.001),
        (Fraction, 1, 1.001),
        (BelowOne, 0.999, 1),
        (Count, 1, 0),
    ],
)
def test_the_ends_of_each_range(kind: object, accepted: float, refused: float) -> None:
    assert TypeAdapter(kind).validate_python(accepted) == accepted
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(refused)
