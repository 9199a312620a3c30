"""Predictions for many image files: which files, and their answers as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.data.decode import SUFFIXES, printable
from cnnlab.data.walk import images_below
from cnnlab.errors import DataError, ImageError, UsageError
from cnnlab.types import Prediction

ENDINGS = (".csv", ".json", ".parquet")
Answer = Prediction | ImageError
Row = dict[str, str | float | None]


@dataclass(frozen=True)
class Found:
    """Image files, and in words what of the folders that were named is left out."""

    files: list[Path]
    notes: tuple[str, ...] = ()


def find_images(paths: Sequence[Path]) -> Found:
    """The files among `paths`, and in place of a folder all images below it, by name.

    Raises:
        DataError: a folder has no images.
    """
    found = [_images_below(path) if path.is_dir() else Found([path]) for path in paths]
    return Found([file for each in found for file in each.files], tuple(note for each in found for note in each.notes))


def _images_below(folder: Path) -> Found:
    files, notes = images_below(folder)
    if not files:
        seen = "".join(f"\n  - {note}" for note in notes)
        raise DataError(
            f"{printable(str(folder))} has no images ({', '.join(SUFFIXES)}); name files, or a folder that has some"
            f"{seen}"
        )
    return Found([folder / path for path in files], notes)


def require_writable(path: Path) -> None:
    """Refuse a file that `write_predictions` could not write.

    Raises:
        UsageError: another ending, or Parquet without pyarrow.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"--out {path}: predictions are written as {', '.join(ENDINGS)}; give such a name")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install pyarrow; or use .csv")


def write_predictions(path: Path, files: Sequence[Path], answers: Sequence[Answer]) -> None:
    """Write a row a file to `path`, by its ending; see `require_writable`."""
    require_writable(path)
    rows, ending = as_rows(files, answers), path.suffix.lower()
    if ending == ".parquet":
        _write_parquet(path, rows)
    else:
        path.write_bytes(as_csv(rows) if ending == ".csv" else json.dumps(rows, indent=1).encode())


def as_rows(files: Sequence[Path], answers: Sequence[Answer]) -> list[Row]:
    """A row a file, all with the same columns: path, class_1, probability_1, …, refused."""
    top = max((len(each.names) for each in answers if isinstance(each, Prediction)), default=0)
    names = (
        str(file).encode("utf-8", "backslashreplace").decode() for file in files
    )  # only what is not UTF-8 is escaped
    return [_row(name, answer, top) for name, answer in zip(names, answers, strict=True)]


def _row(path: str, answer: Answer, top: int) -> Row:
    row: Row = {"path": path}
    for place in range(top):
        row[f"class_{place + 1}"] = answer.names[place] if isinstance(answer, Prediction) else None
        row[f"probability_{place + 1}"] = answer.probabilities[place] if isinstance(answer, Prediction) else None
    row["refused"] = str(answer) if isinstance(answer, ImageError) else None
    return row


def as_csv(rows: Sequence[Row]) -> bytes:
    """The rows as CSV in UTF-8, with a header; no cell is a formula to a spreadsheet."""
    text = io.StringIO(newline="")
    columns = list(rows[0]) if rows else ["path", "refused"]
    writer = csv.DictWriter(text, columns)  # lines end as RFC 4180 says, so that a return inside a name is quoted
    writer.writeheader()
    writer.writerows([{key: harmless(value) for key, value in row.items()} for row in rows])
    return text.getvalue().encode()


def harmless(value: str | float | None) -> str | float | None:
    """A cell that no spreadsheet runs: text that begins as a formula does gets a ' before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
