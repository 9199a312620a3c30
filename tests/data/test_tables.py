from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from cnnlab.data import tables
from cnnlab.data.tables import read_lines, read_table
from cnnlab.errors import DataError


def rows(path: Path, data: str | bytes) -> list[tuple[str, ...]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    table = read_table(path)
    return [] if table is None else list(table.rows)


TWO = [("a b.jpg", "cat"), ("c, d.jpg", "big dog")]


@pytest.mark.parametrize(
    "text",
    [
        'a b.jpg,cat\n"c, d.jpg",big dog\n',
        '\ufeff"a b.jpg", "cat"\r\n"c, d.jpg", "big dog"\r\n\r\n',
        "a b.jpg;cat\nc, d.jpg;big dog",
        "a b.jpg\tcat\nc, d.jpg\tbig dog\n",
        "a b.jpg|cat\nc, d.jpg|big dog\n",
        "sep=;\na b.jpg;cat\nc, d.jpg;big dog\n",
        'a b.jpg,cat,\n"c, d.jpg",big dog,,,\n',
    ],
)
def test_columns_are_parted_by_what_parts_them(tmp_path: Path, text: str) -> None:
    assert [row[:2] for row in rows(tmp_path / "x.csv", text)] == TWO


def test_other_encodings(tmp_path: Path) -> None:
    wide = codecs.BOM_UTF16_LE + "a.jpg\tcaf\u00e9\n".encode("utf-16-le")
    assert rows(tmp_path / "x.txt", wide) == [("a.jpg", "caf\u00e9")]
    assert rows(tmp_path / "x.txt", b"a.jpg,caf\xe9\n") == [("a.jpg", "caf\udce9")]


def test_lines_that_nothing_parts_are_one_cell(tmp_path: Path) -> None:
    assert rows(tmp_path / "x.txt", "my photo.jpg 0\nb.jpg 1\n") == [("my photo.jpg 0",), ("b.jpg 1",)]
    (tmp_path / "x.txt").write_text("a,b 0\n\nc 1\n")
    table = read_lines(tmp_path / "x.txt")
    assert table is not None
    assert (table.rows, table.where(1)) == ((("a,b 0",), ("c 1",)), f"{tmp_path / 'x.txt'} line 3")


def test_lines_are_counted_where_a_cell_has_several(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('a,"1\n2"\nb,3\n')
    table = read_table(tmp_path / "x.csv")
    assert table is not None
    assert (table.columns, table.where(1)) == (2, f"{tmp_path / 'x.csv'} line 3")


@pytest.mark.parametrize("data", [b"", b" \n\n", b"\x00\x01binary", b"a," + b"x" * 200_000 + b"\n"])
def test_what_is_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    table = read_table(tmp_path / "x.csv")
    assert table is None or table.columns == 1


def test_a_row_with_a_cell_too_many_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv line 102 has 3 columns, the first line 2; put quotes around a cell"):
        rows(tmp_path / "x.csv", "name,label\n" + "a,b\n" * 100 + "a,b,c\n")


def test_what_cannot_be_read_or_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    monkeypatch.setattr(tables, "MAX_BYTES", 3)
    with pytest.raises(DataError, match="a list has up to"):
        rows(tmp_path / "x.csv", "a,b\n")
