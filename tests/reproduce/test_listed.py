from __future__ import annotations

from cnnlab.reproduce.catalog import REPRODUCTIONS
from cnnlab.reproduce.listed import LISTED


def test_what_is_listed_is_what_can_be_reproduced() -> None:
    assert {name: (each.effect, each.paper) for name, each in REPRODUCTIONS.items()} == LISTED
    assert list(LISTED) == list(REPRODUCTIONS)
