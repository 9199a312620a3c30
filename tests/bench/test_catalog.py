from __future__ import annotations

import pytest

from cnnlab.bench.catalog import ROWS, require_rows, within
from cnnlab.errors import UnknownNameError


def test_rows_are_found_by_name_and_misspelt_ones_get_a_suggestion() -> None:
    assert list(require_rows(["growth", "startup"])) == ["growth", "startup"]
    with pytest.raises(UnknownNameError, match="did you mean 'growth'"):
        require_rows(["grwth"])


@pytest.mark.parametrize("minutes", [0.1, 5.0, 12.0, 1000.0])
def test_rows_within_a_budget(minutes: float) -> None:
    chosen = within(minutes)
    assert sum(ROWS[name].minutes for name in chosen) <= minutes
    assert "time-to-accuracy" not in chosen  # which needs to be told of runs
    assert len(chosen) == len(ROWS) - 1 or minutes < 100
    assert bool(chosen) == (minutes >= 1)


def test_every_row_says_what_it_costs() -> None:
    for name, row in ROWS.items():
        assert row.minutes > 0, name
        assert row.rounds >= 5, name
        assert row.what, name
