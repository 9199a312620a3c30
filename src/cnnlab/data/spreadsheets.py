"""Spreadsheets as Excel writes them (.xlsx), their first sheet read into rows of text."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

MAX_UNPACKED_BYTES = 50_000_000
"""How much a workbook, which is a zip archive, may hold unpacked."""

MAX_COLUMNS = 200
_MAX_ROWS = 1_048_576  # Excel's own; a row may claim any number, and all before it are given as empty ones

Cells = tuple[str, ...]


def read_first_sheet(path: Path) -> list[tuple[int, Cells]] | None:
    """Read the first sheet: its rows that are not empty, each with its number, all of the same width.

    Formulas give the values that were saved with them. None for a file that is no workbook, is damaged, protected by a
    password, or larger than `MAX_UNPACKED_BYTES`, and for an empty sheet.
    """
    # openpyxl reads a sheet as a stream and runs nothing of it; other formats (.xls, .ods) are not worth a library.
    from openpyxl import load_workbook

    try:
        if not _is_small(path):
            return None
        with warnings.catch_warnings():  # of features that it leaves out, such as validation of cells
            warnings.simplefilter("ignore")
            book = load_workbook(path, read_only=True, data_only=True)
            try:
                rows = list(
                    _filled(book.worksheets[0].iter_rows(max_row=_MAX_ROWS, max_col=MAX_COLUMNS, values_only=True))
                )
            finally:
                book.close()
    except Exception:  # openpyxl raises many kinds for damaged workbooks
        return None
    width = max((len(cells) for _, cells in rows), default=0)
    return [(number, (*cells, *[""] * (width - len(cells)))) for number, cells in rows] or None


def _is_small(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:  # a member gives no more than the bytes that it states
        return sum(member.file_size for member in archive.infolist()) <= MAX_UNPACKED_BYTES


def _filled(rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[int, Cells]]:
    for number, row in enumerate(rows, start=1):
        if row.count(None) == len(row):  # fast, as there may be a million of them
            continue
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, tuple(cells)


def _text(cell: object) -> str:
    """What a cell shows: whole numbers without a point, nothing for an empty one."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    return str(cell).strip()
