from __future__ import annotations

from typing import Any

import pytest

from cnnlab.selftest.summary import COLUMNS, FAILURES_KEPT, kind_rows, row, summarise


def outcome(case: int, *, passed: bool = True, ended: str = "refused", **figures: float) -> dict[str, Any]:
    return {
        "case": case,
        "kind": "a",
        "ended": ended,
        "passed": passed,
        "seen": "x",
        "seconds": 2.0,
        "figures": figures,
    }


def test_the_largest_of_each_figure_and_every_ending_is_counted() -> None:
    found = summarise([outcome(0, seconds=3), outcome(1, seconds=1, megabytes=7), outcome(2, ended="read")], {})
    assert found["largest"] == {"seconds": 3, "megabytes": 7}
    assert found["kinds"] == {"a": {"refused": 2, "read": 1}}
    assert (found["cases"], found["passed"], found["seconds"], found["reached"]) == (3, 3, 6.0, True)


@pytest.mark.parametrize(("limit", "reached"), [(3.0, True), (2.9, False)])
def test_a_limit_holds_up_to_itself(limit: float, reached: bool) -> None:
    assert summarise([outcome(0, seconds=3)], {"seconds": limit})["reached"] is reached


def test_nothing_done_is_nothing_reached_and_few_failures_are_kept() -> None:
    assert summarise([], {})["reached"] is False
    found = summarise([outcome(each, passed=False) for each in range(50)], {})
    assert (found["passed"], len(found["failures"]), found["reached"]) == (0, FAILURES_KEPT, False)


def test_rows_have_a_cell_for_each_column() -> None:
    found = summarise([outcome(0, peak_megabytes=310.0), outcome(1)], {"peak_megabytes": 500})
    whole = {**found, "part": "images", "of": 1_000, "claim": "no crash", "limits": {"peak_megabytes": 500}}
    assert len(row(whole)) == len(COLUMNS)
    assert row(whole) == (
        "images", "2 of 2", "2 of 1,000", "2 refused", "peak megabytes 310 (limit 500)", "no crash"
    )  # fmt: skip
    assert kind_rows(whole) == [("a", "2", "2 refused")]
