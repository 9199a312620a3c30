"""`cnnlab bench`: the list of rows, one row measured, its page and its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab.bench.catalog import ROWS
from cnnlab.measure import machine

from .conftest import Cli


@pytest.fixture(autouse=True)
def small_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.MATRIX_SIDE, "cpu", 128)
    monkeypatch.setitem(machine.COPIED_BYTES, "cpu", 2**20)


def test_without_a_row_they_are_listed_and_only_what_fits_is_run(cli: Cli) -> None:
    found = cli("bench", "--minutes", 0.1)
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0].split() == ["row", "minutes,", "about", "what", "is", "measured"]
    assert [line.split()[0] for line in lines[1 : 1 + len(ROWS)]] == list(ROWS)
    assert "GMAC/s" in lines[-1]


def test_a_row_is_measured_and_told_as_a_table(cli: Cli) -> None:
    found = cli("bench", "startup", "--rounds", 1)
    assert found.code == 0
    ours = next(line for line in found.out.splitlines() if "cnnlab --help" in line)
    assert ours.startswith("startup")
    assert " s " in ours
    assert "python -c pass" in found.out


def test_json_has_values_ratios_and_the_machine_and_page_and_pictures_are_written(
    cli: Cli, tiny_run: Path, tmp_path: Path
) -> None:
    found = cli(
        *("bench", "time-to-accuracy", "--runs", tiny_run, "--rounds", 1),
        *("--plot", "plots", "--out", "bench.html", "--json"),
    )
    values = found.json
    [row] = values["rows"]
    assert (row["row"], row["rounds"]) == ("time-to-accuracy", 1)
    assert values["machine"]["macs_per_second"] > 0
    assert values["missing"] == {}
    assert row["plots"][0]["name"] == "accuracy-by-seconds"
    assert (tmp_path / "plots" / "time-to-accuracy-accuracy-by-seconds.png").is_file()
    assert "resnet20 by tiny" in (tmp_path / "bench.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("startpu",), "did you mean 'startup'"),
        (("startup", "--minutes", "3"), "--minutes chooses rows"),
        (("time-to-accuracy",), "name their folders"),
        (("startup", "--rounds", "0"), "0 is not above 0"),
    ],
)
def test_mistakes_are_told(more: tuple[str, ...], said: str, cli: Cli) -> None:
    found = cli("bench", *more)
    assert (found.code, said in found.err) == (2, True)
