from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.folder import open_folder, split_folder
from cnnlab.data.listing import Entry
from cnnlab.data.manifest import read_manifest, scan_manifest, write_manifest
from cnnlab.data.parts import photos_of
from cnnlab.errors import DataError
from cnnlab.types import Split

from .conftest import touch


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


@pytest.mark.parametrize("path", ["../secret.png", "cat/../../x.png", "/etc/passwd", "", "a\0b"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "m.csv").write_text(f"path,label,split\nok.png,cat,train\n{path},cat,train\n")
    with pytest.raises(DataError, match=r"line 3: path|not a CSV"):
        read_manifest(tmp_path / "m.csv")


def test_a_backslash_is_a_letter_where_it_parts_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.csv").write_text("path,label,split\n..\\x.png,cat,train\n")
    assert read_manifest(tmp_path / "m.csv") == (Entry("..\\x.png", "cat", Split.TRAIN),)
    monkeypatch.setattr(os, "sep", "\\")
    with pytest.raises(DataError, match="line 2: path"):
        read_manifest(tmp_path / "m.csv")


NAMES = st.binary(min_size=1, max_size=24).filter(lambda name: not set(name) & {0, ord("/")} and name[:1] != b".")
AWKWARD = (b'"', b"a\nb", b"a\rb", b" lead", b"trail ", b"=1+1", b"@x", b"a,b;c\td", b"\xff\xfe", b"caf\xc3\xa9", b"\\",
           b"C:\\x", b"'", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbfb", b"-rf", b"#", b"%s", b"*?")  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.sets(NAMES, max_size=8))
def test_what_split_writes_load_reads_whatever_the_names(names: set[bytes]) -> None:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photos"
        expected = set()
        for kind in ("cat", "dog"):
            (folder / kind).mkdir(parents=True)
            for name in sorted({*names, *AWKWARD}):
                path = f"{kind}/{os.fsdecode(name)}.jpg"
                (folder / path).write_bytes(b"x" + name)
                expected.add(path)
        manifest = Path(scratch) / " =odd, 'name'.csv"
        counts = split_folder(folder, manifest, val=0.2, test=0.2)
        parts = open_folder(folder, manifest=manifest)
    assert parts.test is not None
    assert [len(parts.train), len(parts.val), len(parts.test)] == list(counts.values())
    found = [photos_of(part) for part in (parts.train, parts.val, parts.test)]
    assert {name for photos in found if photos is not None for name in photos.names} == expected


def test_any_list_may_be_given_as_a_manifest(tmp_path: Path) -> None:
    folder = touch(tmp_path / "photos", *(f"all/{number}.jpg" for number in range(4)))
    (tmp_path / "list.tsv").write_text("file\tbreed\n0\tcat\n1\tdog\n2\t\n9\tdog\n")
    listing = scan_manifest(tmp_path / "list.tsv", folder)
    assert listing.entries == (Entry("all/0.jpg", "cat", None), Entry("all/1.jpg", "dog", None))
    assert listing.notes == (
        f"classes read from {tmp_path}/list.tsv",
        f"{tmp_path}/list.tsv names 1 images that are not there: 9",
        f"{tmp_path}/list.tsv names 1 images without a class, which are left alone: all/2.jpg",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name,label\n7.jpg,cat\n8.jpg,dog\n",
            r"names none of the 2 images in .*accepted: .*path,label,split .*name,label",
        ),
        ("name\n0.jpg\n1.jpg\n", "names images, and no column is called label"),
        (
            "name,label\n0.jpg,cat\n7.jpg,cat\n8.jpg,dog\n",
            "names 2 images that are not there, such as 7.jpg, and 1 that",
        ),
    ],
)
def test_a_list_of_other_images_is_refused(tmp_path: Path, text: str, said: str) -> None:
    folder = touch(tmp_path / "photos", "0.jpg", "1.jpg")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        scan_manifest(tmp_path / "list.csv", folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has columns None"),
        ("path,label\na,b\n", "expected path, label, split"),
        ("path,label,split\n", "names no images"),
        (
            "path,label,split\na.png,cat,train\na.png,dog,train\n",
            "line 3: 'a.png' is 'dog' in train, and 'cat' in train",
        ),
        ("path,label,split\na.png,cat,train\na.png,cat,val\n", "line 3: 'a.png' is 'cat' in val, and 'cat' in train"),
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
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        write_manifest(tmp_path / "file" / "m.csv", ())
    write_manifest(tmp_path / "new" / "folder" / "m.csv", ())
    assert (tmp_path / "new" / "folder" / "m.csv").is_file()
