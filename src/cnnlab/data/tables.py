"""Lists and spreadsheets as people have them, read into rows: .csv, .tsv, .txt, whatever parts their columns, .xlsx.

Commas, semicolons, tabs or bars part the columns, quotes are obeyed, and a byte order mark is left out. Where no sign
parts the columns of all lines alike, each line is one cell, as in `my photo 1.jpg 0`; see `label_lists`.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from cnnlab.data.decode import printable
from cnnlab.data.spreadsheets import read_first_sheet
from cnnlab.errors import DataError

ENDINGS = (".csv", ".tsv", ".txt", ".xlsx")
"""The endings, in small letters, of files that are read as tables."""

SPREADSHEETS = (".xls", ".ods", ".numbers")
"""The endings of spreadsheets that are not read."""

WORKBOOK = ".xlsx"
MAX_BYTES = 500_000_000
_SEPARATORS = ",;\t|"
_LINES_LOOKED_AT = 100

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The rows of a file, all of `columns` cells, each with the line it ends on; the first may be a heading."""

    path: Path
    rows: tuple[Row, ...]
    lines: tuple[int, ...]

    @property
    def columns(self) -> int:
        """How many cells a row has; of 1, it may be lines that have yet to be parted."""
        return len(self.rows[0])

    def where(self, row: int) -> str:
        """The file and line of a row, for a message."""
        return f"{printable(str(self.path))} line {self.lines[row]}"


def read_table(path: Path) -> Table | None:
    """Read a file as a table; None where it is no text or workbook, holds huge cells, or has no rows.

    Raises:
        DataError: it cannot be read, is larger than `MAX_BYTES`, or a row has more cells than the others.
    """
    if path.suffix.lower() == WORKBOOK:
        rows = read_first_sheet(path)
        return (
            None
            if rows is None
            else Table(path, tuple(cells for _, cells in rows), tuple(number for number, _ in rows))
        )
    text = _text(path)
    if text is None or not text.strip():
        return None
    first, _, rest = text.partition("\n")
    if first[:4].lower() == "sep=" and first[4:5] in _SEPARATORS:  # Excel's own way to say it
        return _parted(path, rest, first[4], 1)
    separator = _separator(text, path)
    return read_lines(path) if separator is None else _parted(path, text, separator, 0)


def read_lines(path: Path) -> Table | None:
    """Read a file as a table of one column, each line a cell; None as for `read_table`, which has the errors, too."""
    text = _text(path)
    if text is None or not text.strip():
        return None
    found = [(line.strip(), number) for number, line in enumerate(io.StringIO(text, newline=None), start=1)]
    rows = tuple((line,) for line, _ in found if line)
    return Table(path, rows, tuple(number for line, number in found if line))


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size / 1e6:,.0f} MB; a list has up to {MAX_BYTES / 1e6:,.0f} MB")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{printable(str(path))} cannot be read ({error.strerror})") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16", "replace") if wide else data.decode("utf-8-sig", "surrogateescape")
    return None if "\0" in text else text


def _separator(text: str, path: Path) -> str | None:
    """The sign that parts the first lines into the same number of cells, two at least; None where none does."""
    found = {}
    for separator in _SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        try:
            rows = [row for row, _ in zip(reader, range(_LINES_LOOKED_AT), strict=False) if row]
        except csv.Error:
            continue
        whole, filled = {len(row) for row in rows}, {_filled(row) for row in rows}
        if (len(whole) == 1 or len(filled) == 1) and (width := max(filled)) > 1:
            found[separator] = width
    by_ending = "\t" if path.suffix.lower() == ".tsv" else ","
    return max(found, key=lambda separator: (separator == by_ending, found[separator]), default=None)


def _filled(row: list[str]) -> int:
    """How many cells a row has without the empty ones at its end."""
    return max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _parted(path: Path, text: str, separator: str, skipped: int) -> Table | None:
    """Part text into rows of the first one's width; None where a cell is larger than any name."""
    rows: list[Row] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
                lines.append(reader.line_num + skipped)
    except csv.Error:
        return None
    width = len(rows[0])
    for cells, line in zip(rows, lines, strict=True):
        if any(cells[width:]):
            raise DataError(
                f"{printable(str(path))} line {line} has {len(cells)} columns, the first line {width}; put quotes "
                f"around a cell that holds {separator!r}"
            )
    return Table(path, tuple((*cells, *[""] * width)[:width] for cells in rows), tuple(lines))
