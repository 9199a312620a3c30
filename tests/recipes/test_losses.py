from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from cnnlab.recipes.losses import CrossEntropy, Hinge, Loss, MultiMargin


def test_a_loss_is_chosen_by_its_kind() -> None:
    read = TypeAdapter(Loss).validate_python
    assert read({"kind": "cross_entropy"}) == CrossEntropy()
    assert read({"kind": "hinge", "power": 2}) == Hinge(power=2)
    assert read({"kind": "multi_margin", "margin": 0.5}) == MultiMargin(margin=0.5)


@pytest.mark.parametrize("values", [{"kind": "hinge", "power": 3}, {"kind": "l7"}, {"kind": "mse", "power": 2}])
def test_other_kinds_and_powers_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Loss).validate_python(values)
