from __future__ import annotations

import csv
import importlib.util
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.errors import DataError, ImageError, UsageError
from cnnlab.evaluate.predictions import as_csv, as_rows, find_images, harmless, write_predictions
from cnnlab.types import Prediction

FILES = [Path("a.jpg"), Path("=cmd()|x.jpg"), Path("c.jpg")]
ANSWERS = [
    Prediction("a.jpg", ("cat", "@dog"), (0.75, 0.25)),
    Prediction("=cmd()|x.jpg", ("@dog", "cat"), (0.5, 0.5)),
    ImageError("c.jpg: truncated"),
]


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_gives_its_images_by_name_and_hidden_ones_stay_hidden(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "deep/er/c.jpeg", ".hidden/d.jpg", ".e.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    named = tmp_path / "notes.txt"
    found = find_images([tmp_path, named])
    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == [
        "a.jpg",
        "b.PNG",
        "deep/er/c.jpeg",
        "notes.txt",
    ]
    assert found.notes == (
        f"{tmp_path}: left out, hidden, their names beginning with a dot: .e.jpg, .hidden",
        f"{tmp_path}: left alone, being no images by their endings: 1 .txt",
    )


def test_a_folder_without_images_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no images \(.jpg"):
        find_images([tmp_path])


def test_every_file_is_a_row_with_the_same_columns() -> None:
    rows = as_rows(FILES, ANSWERS)
    assert rows[0] == {
        "path": "a.jpg",
        "class_1": "cat",
        "probability_1": 0.75,
        "class_2": "@dog",
        "probability_2": 0.25,
        "refused": None,
    }
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert rows[2]["class_1"] is None
    assert rows[2]["refused"] == "c.jpg: truncated"


def test_csv_has_no_cell_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    write_predictions(tmp_path / "found.csv", FILES, ANSWERS)
    rows = written(tmp_path / "found.csv")
    assert [row["path"] for row in rows] == ["a.jpg", "'=cmd()|x.jpg", "c.jpg"]
    assert rows[1]["class_1"] == "'@dog"
    assert float(rows[0]["probability_1"]) == 0.75


@given(st.text())
def test_a_cell_is_changed_only_where_it_begins_as_a_formula(text: str) -> None:
    found = harmless(text)
    assert found == (f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text else text)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), min_size=1, max_size=4))
def test_csv_survives_commas_quotes_and_line_ends(names: list[str]) -> None:
    prediction = Prediction("a,b\n.jpg", tuple(names), (0.5,) * len(names))
    text = as_csv(as_rows([Path("a,b\n.jpg")], [prediction])).decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["path"] == "a,b\n.jpg"
    assert [row[f"class_{place + 1}"] for place in range(len(names))] == [harmless(name) for name in names]


def test_json_has_the_same_rows(tmp_path: Path) -> None:
    write_predictions(tmp_path / "found.json", FILES, ANSWERS)
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == as_rows(FILES, ANSWERS)


def test_parquet_has_the_same_rows_or_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(UsageError, match="Parquet needs pyarrow, which is not installed: pip install pyarrow"):
            write_predictions(path, FILES, ANSWERS)
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        write_predictions(path, FILES, ANSWERS)
        assert parquet.read_table(path).to_pylist() == as_rows(FILES, ANSWERS)


def test_of_no_files_there_is_a_header(tmp_path: Path) -> None:
    write_predictions(tmp_path / "found.csv", [], [])
    assert (tmp_path / "found.csv").read_text(encoding="utf-8") == "path,refused\n"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"written as \.csv, \.json, \.parquet"):
        write_predictions(tmp_path / "found.xls", FILES, ANSWERS)
