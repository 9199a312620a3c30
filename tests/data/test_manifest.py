from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnnlab.data.listing import Entry
from cnnlab.data.manifest import read_manifest, write_manifest
from cnnlab.errors import DataError
from cnnlab.types import Split


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    entries = (
        Entry("cat/a, b.png", "cat", Split.TRAIN),
        Entry('dog/"quoted"\nline.png', "dog", Split.VAL),
        Entry("=SUM(A1).png", "caf\u00e9", Split.TEST),
        Entry(os.fsdecode(b"cat/\xff.png"), "cat", None),
    )
    write_manifest(tmp_path / "m.csv", entries)
    assert read_manifest(tmp_path / "m.csv") == entries
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["m.csv"]


@pytest.mark.parametrize(
    "path", ["../secret.png", "cat/../../x.png", "/etc/passwd", "", "C:\\x.png", "..\\x.png", "a\0b"]
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "m.csv").write_text(f"path,label,split\nok.png,cat,train\n{path},cat,train\n")
    with pytest.raises(DataError, match=r"line 3: path|not a CSV"):
        read_manifest(tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has columns None"),
        ("path,label\na,b\n", "expected path, label, split"),
        ("path,label,split\n", "names no images"),
        ("path,label,split\na.png,cat,dev\n", "line 2: split 'dev'; accepted: train, val, test"),
        ("path,label,split\na.png\n", "line 2: no label"),
        ("path,label,split\n" + "x" * 200_000 + ",cat,train\n", "not a CSV file"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_manifest(tmp_path / "m.csv")


def test_a_spreadsheets_byte_order_mark_and_more_columns_are_fine(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("\ufeffpath,label,note,split\na.png,cat,x,val\n", encoding="utf-8")
    assert read_manifest(tmp_path / "m.csv") == (Entry("a.png", "cat", Split.VAL),)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be written"):
        write_manifest(tmp_path / "no" / "m.csv", ())
