from __future__ import annotations

from typing import Any

import pytest

from cnnlab.report.selftest_page import selftest_page

from .records import HOSTILE


def summary(*, reached: bool = True, failures: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "part": "images", "claim": f"no crash {HOSTILE}", "cases": 9, "passed": 9 - len(failures),
        "reached": reached, "failures": list(failures),
    }  # fmt: skip


def made(found: dict[str, Any]) -> str:
    return selftest_page(
        [found], ("part", "passed"), [("images", "9 of 9")], [[("cut", "9", "9 refused")]], {"cores": 2}
    )


@pytest.mark.parametrize(("reached", "words"), [(True, "Everything held"), (False, "Not everything held")])
def test_the_verdict_leads(reached: bool, words: str) -> None:
    page = made(summary(reached=reached))
    assert words in page
    assert "9 refused" in page


def test_failures_are_listed_and_hostile_names_are_text() -> None:
    page = made(summary(reached=False, failures=({"case": 3, "kind": "cut", "ended": "hung", "seen": HOSTILE},)))
    assert "Cases that failed" in page
    assert "<script" not in page
    assert "<img" not in page
