from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from cnnlab.data import spreadsheets
from cnnlab.data.sources import load
from cnnlab.data.spreadsheets import read_first_sheet
from tests.data.conftest import noise, png


def workbook(path: Path, *rows: tuple[object, ...]) -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["not", "this"])
    book.save(path)
    return path


def test_cells_are_text_as_they_are_shown(tmp_path: Path) -> None:
    rows = (("1.jpg", 3.0), ("2.jpg", 2.5, " x "), (date(2026, 1, 2),))
    path = workbook(tmp_path / "a.xlsx", ("file", "label", None), (), *rows)
    assert read_first_sheet(path) == [
        (1, ("file", "label", "")),
        (3, ("1.jpg", "3", "")),
        (4, ("2.jpg", "2.5", "x")),
        (5, ("2026-01-02T00:00:00", "", "")),
    ]


def test_what_is_no_workbook_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, empty, archive = tmp_path / "a.xlsx", workbook(tmp_path / "b.xlsx"), tmp_path / "c.xlsx"
    text.write_text("file,label")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "hello")
    whole = workbook(tmp_path / "d.xlsx", ("a", "b"))
    cut = tmp_path / "e.xlsx"
    cut.write_bytes(whole.read_bytes()[:-200])
    assert [read_first_sheet(path) for path in (text, empty, archive, cut, tmp_path / "none.xlsx")] == [None] * 5
    monkeypatch.setattr(spreadsheets, "MAX_UNPACKED_BYTES", 1000)
    assert read_first_sheet(whole) is None


def test_a_row_may_claim_any_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "_MAX_ROWS", 10_000)
    path = workbook(tmp_path / "a.xlsx", ("file", "label"), ("1.jpg", "cat"))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    members[sheet] = members[sheet].replace(b'r="2"', b'r="999999999999"').replace(b'"A2"', b'"A999999999999"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    # Without a bound this takes days, and the test ends by its time limit.
    assert read_first_sheet(path) in (None, [(1, ("file", "label"))])


@pytest.mark.parametrize("direct", [True, False])
def test_a_folder_with_a_spreadsheet_of_its_classes(tmp_path: Path, direct: bool) -> None:
    names = [f"{number}.jpg" for number in range(8)]
    (tmp_path / "images").mkdir()
    for number, name in enumerate(names):
        (tmp_path / "images" / name).write_bytes(png(noise(8, 8, number)))
    rows = [(name, "cat" if number % 2 else "dog") for number, name in enumerate(names)]
    path = workbook(tmp_path / "labels.xlsx", ("filename", "label"), *rows)
    parts = load(path if direct else tmp_path, pixels=8)
    assert parts.class_names == ("cat", "dog")
    assert parts.train.labels.bincount().tolist() == [2, 2]  # one of each to validate, one to test
