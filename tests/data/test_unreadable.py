from __future__ import annotations

import pytest

from cnnlab.data.unreadable import Unreadable, refuse_too_many
from cnnlab.errors import DataError


def test_one_passes_and_more_need_permission() -> None:
    refuse_too_many(["a: damaged"], 3, 0.01, "here")
    refuse_too_many(["damaged"] * 5, 100, 0.05, "here")
    with pytest.raises(DataError, match=r"here: 6 of 100 images cannot be read, accepted: 5 \(max_bad 0\.05\)"):
        refuse_too_many(["damaged"] * 6, 100, 0.05, "here")
    with pytest.raises(DataError, match="accepted: 0"):
        refuse_too_many(["damaged"], 100, 0, "here")


def test_those_met_are_named_in_order_and_counted() -> None:
    met = Unreadable(100, 0.03, "photos")
    for index in (7, 2, 7):
        met.add(index, f"{index}.jpg: damaged")
    assert met.reasons == ("2.jpg: damaged", "7.jpg: damaged")
    assert (len(met), 7 in met, 3 in met) == (2, True, False)
    met.add(9, "9.jpg: damaged")
    with pytest.raises(DataError, match=r"4 of 100 images cannot be read(?s:.*)1\.jpg(?s:.*)9\.jpg"):
        met.add(1, "1.jpg: damaged")


def test_none_left_is_an_error_of_its_own() -> None:
    with pytest.raises(DataError, match="none of 1 images can be read: a: damaged"):
        Unreadable(1, 0.5, "photos").add(0, "a: damaged")
