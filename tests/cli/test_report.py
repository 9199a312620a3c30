from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cli


def test_a_report_is_made_anew_without_reading_anything(cli: Cli, own_run: Path) -> None:
    (own_run / "report.html").unlink(missing_ok=True)
    before = (own_run / "test_reads.jsonl").read_bytes()
    found = cli("report", own_run, "--json")
    assert (found.code, found.json) == (0, {"run": str(own_run), "report": str(own_run / "report.html")})
    assert (own_run / "report.html").is_file()
    assert (own_run / "test_reads.jsonl").read_bytes() == before


@pytest.mark.parametrize(("split", "reads"), [("val", 0), ("test", 1)])
def test_asking_about_a_part_shows_its_mistakes(split: str, reads: int, cli: Cli, own_run: Path) -> None:
    before = (own_run / "test_reads.jsonl").read_text(encoding="utf-8").splitlines()
    found = cli("report", own_run, "--split", split, "--protocol", "center")
    assert found.code == 0
    assert found.out.startswith(f"report {own_run}")
    assert f"images of the {split} part, protocol center" in (own_run / "report.html").read_text(encoding="utf-8")
    after = (own_run / "test_reads.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(after) == len(before) + reads


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--protocol", "flip"), "which part of the data should be asked about"),
        (("--split", "tset"), "did you mean 'test'"),
        (("--split", "val", "--protocol", "flop"), "did you mean 'flip'"),
    ],
)
def test_mistakes_are_named(more: tuple[str, ...], message: str, cli: Cli, own_run: Path) -> None:
    found = cli("report", own_run, *more)
    assert found.code == 2
    assert message in found.err


def test_a_folder_that_is_no_run_is_refused(cli: Cli, tmp_path: Path) -> None:
    assert cli("report", tmp_path).code == 2
