from __future__ import annotations

from typing import Any

import pytest

from cnnlab.errors import UsageError
from cnnlab.recipes.schedules import LinearWarmup, MultiStep, Pieces, Step

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (Step, {}, "step needs exactly one of every_steps and every_epochs; it has every_steps=None and every_epochs=None"),
    (Step, {"every_steps": 5, "every_epochs": 2}, "exactly one of .*; it has every_steps=5 and every_epochs=2"),
    (MultiStep, {}, "exactly one of at_steps and at_epochs"),
    (MultiStep, {"at_steps": (5,), "at_epochs": (2,)}, "exactly one"),
    (MultiStep, {"at_steps": (5, 5)}, r"at_steps must rise; seen \(5, 5\)"),
    (MultiStep, {"at_epochs": (5, 4)}, r"at_epochs must rise; seen \(5"),
    (Pieces, {"at_epochs": (2, 1), "factors": (0.1, 0.2)}, "at_epochs must rise"),
    (Pieces, {"at_epochs": (2,), "factors": (0.1, 0.2)}, "1 at_epochs and 2 factors; give one factor for each place"),
    (LinearWarmup, {}, "exactly one of epochs and steps"),
    (LinearWarmup, {"epochs": 1, "steps": 2}, "exactly one of epochs and steps; it has epochs=1.* and steps=2"),
]


@pytest.mark.parametrize(("kind", "values", "message"), WRONG)
def test_what_contradicts_itself_is_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kind(**values)
