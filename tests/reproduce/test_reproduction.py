from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnlab.reproduce.catalog import REPRODUCTIONS
from cnnlab.reproduce.judge import fact
from cnnlab.reproduce.plan import Budget, Plan
from cnnlab.reproduce.reproduction import PAGE, RECORD, Findings, Reproduction, reproduce
from cnnlab.reproduce.runs import Results

from ..report.reading import dangers, read
from ..report.records import HOSTILE
from .conftest import Made
from .test_runs import PLAN


def seen(results: Results) -> Findings:
    return Findings([fact("so it is", True, "seen")], [], [], ", ".join(results))


@pytest.fixture
def shared(result: Made, monkeypatch: pytest.MonkeyPatch) -> Reproduction:
    """Two labels that need the same run, which is there already."""
    one = result(0.3)
    monkeypatch.setattr("cnnlab.reproduce.reproduction.make", lambda plans, *_, **__: dict.fromkeys(plans, (one,)))
    plans: dict[str, Plan] = {"a": PLAN, "b": PLAN}
    words = dict.fromkeys(("title", "effect", "claim", "paper"), HOSTILE)
    return Reproduction("shared", **words, plans=lambda _: plans, read=seen, differences=("another data set",))


def test_a_reproduction_leaves_a_record_and_a_page(shared: Reproduction, tmp_path: Path) -> None:
    record = reproduce(shared, tmp_path)
    assert json.loads((tmp_path / "shared" / RECORD).read_text()) == record
    assert (record["budget"], record["seeds"], len(record["runs"])) == ("quick", 1, 2)
    assert record["seconds"] == 60.0  # a run that two labels share is paid once
    page = (tmp_path / "shared" / PAGE).read_text(encoding="utf-8")
    assert dangers(page) == []
    for expected in (
        "Holds here. So it is.",
        "seen",
        HOSTILE,
        "64 training images",
        "8 x 8 pixels",
        "another data set",
    ):
        assert expected in read(page).text
    assert "cnnlab reproduce shared --budget quick" in read(page).text


@pytest.mark.parametrize("name", REPRODUCTIONS)
def test_each_says_what_it_is_and_at_both_budgets_what_it_needs(name: str) -> None:
    found = REPRODUCTIONS[name]
    assert found.name == name
    assert min(map(len, (found.title, found.effect, found.claim, found.paper))) > 10
    quick, full = (found.plans(budget) for budget in (Budget.QUICK, Budget.FULL))
    assert bool(quick) == bool(full)
    assert len({plan.key(0) for plan in quick.values()}) == len(quick)
    for plan in quick.values():
        assert plan.train_images is not None
        assert plan.train_images <= 10_000
