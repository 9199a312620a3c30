from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.selftest import parts
from cnnlab.selftest.campaign import Goal, Outcome, Part

from .conftest import Cli


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    """Two parts of our own: one that holds, and one that has a failure in its full run, and none that is quick."""

    def holding(name: str, fails: int) -> Part:
        def run(cases, work):
            for case in cases:
                yield Outcome(case, "kind", "ended", case != fails, f"[b]case[/b] {case}", 0.1, {"points": 1.0})

        return Part(name, Goal("it holds"), 8, range(4) if name == "one" else range(0), run)

    found = {"one": holding("one", -1), "two": holding("two", 5)}
    monkeypatch.setattr(parts, "PARTS", found)
    monkeypatch.setattr("cnnlab.cli.selftest.NAMES", tuple(found))
    return found


def test_a_quick_run_prints_one_table(made: dict[str, Part], cli: Cli, tmp_path: Path) -> None:
    found = cli("selftest", "--out", "--folder", "kept")
    assert found.code == 0
    assert "4 of 8" in found.out
    assert "two" not in found.out
    page = (tmp_path / "selftest.html").read_text()
    assert "Everything held" in page
    assert (tmp_path / "kept" / "one.json").is_file()


def test_a_failure_is_named_and_the_code_is_1(made: dict[str, Part], cli: Cli, tmp_path: Path) -> None:
    found = cli("selftest", "two", "--full", "--json", "--out", "page.html")
    assert found.code == 1
    assert found.json["reached"] is False
    assert found.json["parts"][0]["failures"][0]["case"] == 5
    assert "FAILED [b]case[/b] 5" in found.err
    assert "Not everything held" in (tmp_path / "page.html").read_text()


def test_slices_are_gone_on_with(made: dict[str, Part], cli: Cli) -> None:
    assert cli("selftest", "two", "--cases", "0:3", "--folder", "f").code == 0
    found = cli("selftest", "two", "--cases", "2:5", "--folder", "f", "--json", "--minutes", "1")
    assert (found.code, found.json["parts"][0]["cases"]) == (0, 5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("imges",), "no part of the self-test 'imges'"),
        (("--cases", "5:5"), "is no range of cases"),
        (("--cases", "a"), "is no range of cases"),
        (("--quick", "--full"), "not allowed with"),
        (("bad-files",), "takes too long for a quick run; add --full"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], said: str, cli: Cli) -> None:
    found = cli("selftest", *arguments)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
