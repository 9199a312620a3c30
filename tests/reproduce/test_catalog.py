from __future__ import annotations

import pytest

from cnnlab.errors import UnknownNameError
from cnnlab.reproduce.catalog import REPRODUCTIONS, get_reproduction


def test_a_name_gives_its_reproduction() -> None:
    assert get_reproduction("degradation") is REPRODUCTIONS["degradation"]


def test_a_misspelt_name_is_met_by_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'degradation'"):
        get_reproduction("degradatoin")
