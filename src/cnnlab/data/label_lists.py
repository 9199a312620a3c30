"""Which image has which class, and in which part, by a list or spreadsheet beside the images.

The column of images is the one whose cells name images that are there; that of classes is called so, or the only other
one, or a column for each class with 0 and 1. What can be read in two ways is refused, and so are several classes
for one image. A list without classes gives none: it is there to be predicted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.data.decode import printable
from cnnlab.data.file_index import FileIndex
from cnnlab.data.part_names import part_of_name
from cnnlab.data.tables import ENDINGS, Row, Table, read_lines, read_table
from cnnlab.errors import DataError
from cnnlab.types import Split

_CLASS_HEADINGS = {
    *("label", "labels", "class", "classes", "category", "categories", "target", "targets", "breed", "species", "cls"),
    *("variety", "diagnosis", "dx", "wnid", "synset", "y", "tag", "tags", "type", "genus", "kind", "annotation"),
    *("classname", "classid", "classindex", "classlabel", "labelname", "labelid", "categoryid", "categoryname"),
    *("imagelabel", "labeltext", "predictionstring", "subbreed", "disease", "expression", "emotion"),
}
_CLASS_WORD = re.compile(r"(?<![a-z])(labels?|class|category|species|breed|diagnosis)(?![a-z])", re.I)
_IMAGE_HEADINGS = {
    *("image", "images", "img", "imageid", "imagename", "filename", "file", "path", "filepath", "imagepath", "photo"),
    *("idcode", "picture", "id", "name", "photoid"),
}
_INDEX_HEADINGS = {"", "unnamed", "index", "row", "rowid", "no", "nr", "num", "number"}
_LIST_OF_ONE = re.compile(r"\[\s*(['\"]?)[^,\[\]'\"]+\1\s*\]")
_NO_LABELS = {"nan", "NaN", "NAN", "NaT", "null", "NULL", "<NA>", "#N/A"}
_SEVERAL_HEADINGS = {"labels", "tags", "classes", "categories", "targets", "findinglabels", "attributes"}
_PART_HEADINGS = {"split", "splits", "part", "set", "subset", "dataset", "partition", "usage", "phase", "fold"}
_NOT_TABLES = re.compile(
    r"(readme|ILSVRC2012_validation_ground_truth|license|licence|requirements|robots|changelog|citation|classes$|wnids$|words$)",
    re.I,
)
_SUBMISSION = re.compile(r"submi(t|ssion)", re.I)
_SAMPLE_ROWS = 300
_MOST_WORDS = 40  # of a class in a line that nothing else parts; lines may be endless
_SHOWN = 3


@dataclass(frozen=True)
class LabelList:
    """What a list says: of images, by path, their class and the line that says so, and their part where it names them.

    `labels` are empty for a list without classes. `unlabelled` are the images that it names without a class, `missing`
    those that it names and that are not there.
    """

    path: Path
    labels: Mapping[str, tuple[str, str]]
    parts: Mapping[str, Split]
    unlabelled: frozenset[str]
    missing: tuple[str, ...]

    @property
    def first_lines(self) -> dict[str, str]:
        """Where each class was seen first."""
        first: dict[str, str] = {}
        for label, where in self.labels.values():
            first.setdefault(label, where)
        return first


def candidates(folders: Sequence[Path]) -> list[Path]:
    """The files directly in `folders` that may be lists of classes, by name; none is opened.

    A sample submission is none: its classes are made up.
    """
    found = []
    for folder in folders:
        for path in sorted(folder.iterdir()):
            named = not path.name.startswith(".") and path.suffix.lower() in ENDINGS
            if named and not _NOT_TABLES.match(path.stem) and not _SUBMISSION.search(path.stem) and path.is_file():
                found.append(path)
    return list(dict.fromkeys(found))


def read_labels(path: Path, images: FileIndex) -> LabelList | None:
    """Read from a list the classes of `images`; None where it names none of them.

    Raises:
        DataError: an image or a class can be read in two ways, or an image has several classes.
    """
    table = read_table(path)
    column = None if table is None else _image_column(table, images)
    if column is None and (table := read_lines(path)) is not None:
        table = _part_lines(table, images)
        column = None if table is None else _image_column(table, images)
    if table is None or column is None:
        return None
    has_heading = (
        images.find(table.rows[0][column]) is None and table.columns > 1 and _looks_like_heading(table, column)
    )
    heading = table.rows[0] if has_heading else ()
    rows = range(1 if has_heading else 0, len(table.rows))
    parts = _part_column(table, rows, heading, column)
    labels = _labels(table, rows, heading, {column} if parts is None else {column, parts})
    return _collect(table, rows, column, labels or [""] * len(rows), parts, images)


def _image_column(table: Table, images: FileIndex) -> int | None:
    """The column whose cells are names of images that are there.

    Of several, as where images and rows are both numbered, it is that of names with endings or folders, else that of
    most images, else the one called after images or not an index of rows.
    """
    for rows in (table.rows[:_SAMPLE_ROWS], table.rows):
        ranks = {column: _likeness(table, rows, column, images) for column in range(table.columns)}
        found = {column: rank for column, rank in ranks.items() if rank is not None}
        if found:
            return max(found, key=lambda column: (found[column], -column))
    return None


def _likeness(table: Table, rows: Sequence[Row], column: int, images: FileIndex) -> tuple[bool, int, int, int] | None:
    """How much a column is like one of images, to be compared; None where it names none that is there."""
    cells = [row[column] for row in rows]
    hits = [cell for cell in cells if _is_there(cell, images)]
    if not hits:
        return None
    heading = _plain(table.rows[0][column])
    called = 1 if heading in _IMAGE_HEADINGS else -1 if heading in _INDEX_HEADINGS | _CLASS_HEADINGS else 0
    return any(map(_is_file_name, hits)), len(set(hits)), len(hits), called


def _is_file_name(cell: str) -> bool:
    return bool(re.search(r"\.[a-z]{2,5}$|[/\\]", cell, re.I))


def _is_there(cell: str, images: FileIndex) -> bool:
    try:
        return bool(cell) and images.find(cell) is not None
    except DataError:  # two images alike: said where the column is read
        return True


def _part_lines(table: Table, images: FileIndex) -> Table | None:
    """Part lines such as `my photo 1.jpg 0` behind the longest beginning that is the name of an image."""
    rows: list[Row] = []
    for (line,) in table.rows:
        ends = [match.start() for match in re.finditer(r"\s+", line)]
        behind = reversed(ends[-_MOST_WORDS:])
        end = next((end for end in behind if _is_there(line[:end], images)), ends[0] if ends else len(line))
        rows.append((line[:end], line[end:].strip()))
    return Table(table.path, tuple(rows), table.lines) if any(rest for _, rest in rows) else None


def _looks_like_heading(table: Table, column: int) -> bool:
    """Whether the first row, whose image is not there, is a heading: no name of a file, as the others are."""
    return not re.search(r"\.\w{2,4}$|[/\\]", table.rows[0][column])


def _plain(heading: str) -> str:
    return re.sub(r"[^a-z]", "", heading.lower())


def _part_column(table: Table, rows: range, heading: Row, images: int) -> int | None:
    """The column that says of each image its part: every cell means one, or nothing."""
    for column in range(table.columns):
        called = bool(heading) and _plain(heading[column]) in _PART_HEADINGS
        if column == images or (heading and not called):
            continue
        cells = {table.rows[row][column] for row in rows}
        if all(part_of_name(cell) for cell in cells - {""}) and any(cells) and (called or table.columns > 2):
            return column
    return None


def _labels(table: Table, rows: range, heading: Row, used: set[int]) -> list[str] | None:
    """The class of each row, "" for none; None for a table without classes."""
    others = [column for column in range(table.columns) if column not in used]
    others = [column for column in others if any(table.rows[row][column] for row in rows)]
    if not others:
        return None
    called = _called_classes(heading, others)
    if heading and not called and (one_hot := _one_hot(table, rows, others, heading)):
        return one_hot
    column = _choose(table, rows, called or others, heading)
    if column is None and not called and heading:
        return None
    if column is None:
        names = ", ".join(repr(heading[each]) if heading else f"column {each + 1}" for each in called or others)
        raise DataError(
            f"{printable(str(table.path))}: the classes may be in {names}; call the column of classes 'label', or "
            "remove the others"
        )
    labels = [cell if cell not in _NO_LABELS else "" for row in rows for cell in [table.rows[row][column]]]
    if heading and _plain(heading[column]) == "predictionstring":  # ImageNet's: a class with its boxes behind it
        labels = [label.partition(" ")[0] for label in labels]
    return _checked(table, rows, labels, heading[column] if heading else "")


def _called_classes(heading: Row, columns: Sequence[int]) -> list[int]:
    """The columns whose headings say that they have the classes: `label`, or else `Finding Labels`."""
    exactly = [each for each in columns if heading and _plain(heading[each]) in _CLASS_HEADINGS]
    return exactly or [each for each in columns if heading and _CLASS_WORD.search(heading[each])]


def _choose(table: Table, rows: range, columns: Sequence[int], heading: Row) -> int | None:
    """The one of some columns that has the classes: the only one, or the names where others are their numbers."""
    if len(columns) == 1:
        return columns[0]
    cells = {column: [table.rows[row][column] for row in rows] for column in columns}
    names = [column for column in columns if not all(map(_is_number, cells[column]))]
    pairs = len(set(zip(*cells.values(), strict=True)))
    if all(len(set(each)) == pairs for each in cells.values()):  # they say the same in other words
        return (names or list(columns))[0]
    return names[0] if len(names) == 1 and not heading else None


def _one_hot(table: Table, rows: range, columns: Sequence[int], heading: Row) -> list[str] | None:
    """The classes of a table with a column for each class, 1 in the image's own; None where it is no such table."""
    if len(columns) < 2 or not {table.rows[row][each] for row in rows for each in columns} <= _YES | _NO:
        return None
    labels = []
    for row in rows:
        own = [heading[column] for column in columns if table.rows[row][column] in _YES]
        if len(own) > 1:
            raise _several(table.where(row), table.rows[row][0], own)
        labels.append(own[0] if own else "")
    return labels


_YES, _NO = {"1", "1.0", "True", "true", "TRUE"}, {"0", "0.0", "False", "false", "FALSE", ""}


def _checked(table: Table, rows: range, labels: list[str], heading: str) -> list[str]:
    """Labels of classes; refuses what is no class: fractions, several in a cell, another for nearly every image."""
    if any(labels) and all(_LIST_OF_ONE.fullmatch(label) for label in labels if label):
        labels = [label.strip("[]'\" ") for label in labels]
    given = Counter(label for label in labels if label)
    if all(re.fullmatch(r"-?\d+\.0+", label) for label in given):
        return [label.partition(".")[0] for label in labels]
    which = f"{printable(str(table.path))}{f', column {heading!r}' if heading else ''}"
    if all(re.fullmatch(r"-?\d*\.\d+(e-?\d+)?|-?\d+", label) for label in given) and any("." in each for each in given):
        raise DataError(f"{which}: fractions such as {next(iter(given))}, which are no classes; cnnlab learns classes")
    for label in given:
        if (pieces := _pieces(label, given.keys(), heading)) is not None:
            row = rows[labels.index(label)]
            raise _several(table.where(row), table.rows[row][0], pieces)
    if len(given) > 20 and len(given) > 0.8 * sum(given.values()):
        raise DataError(
            f"{which}: {len(given)} different values for {sum(given.values())} images, which are no classes; call the "
            "column of classes 'label'"
        )
    return labels


def _pieces(label: str, given: Collection[str], heading: str) -> list[str] | None:
    """The several classes that a label is made of, beside the other labels `given`; None for one class.

    "rust scab" is two where rust and scab are given, too, and the heading is a plural; tags are always several.
    """
    if re.fullmatch(r"\[.*\]|\{.*\}", label):
        return [piece.strip(" '\"") for piece in label[1:-1].split(",")]
    plural = _plain(heading) in _SEVERAL_HEADINGS
    for sign, enough in (("|", any), (";", any), (",", any if plural else all), (" ", all)):
        pieces = [piece.strip() for piece in label.split(sign) if piece.strip()]
        several = enough(piece in given for piece in pieces) and (sign != " " or plural)
        if len(pieces) > 1 and (several or _plain(heading) == "tags"):
            return pieces
    return None


def _several(where: str, image: str, labels: Sequence[str]) -> DataError:
    return DataError(
        f"{where}: {image!r} has several classes, {', '.join(map(repr, labels[:_SHOWN]))}; several labels an image are "
        "not supported: keep one for each"
    )


def _collect(
    table: Table, rows: range, column: int, labels: Sequence[str], parts: int | None, images: FileIndex
) -> LabelList:
    found: dict[str, tuple[str, str]] = {}
    splits: dict[str, Split] = {}
    unlabelled: set[str] = set()
    missing = []
    for row, label in zip(rows, labels, strict=True):
        cell, where = table.rows[row][column], table.where(row)
        try:
            path = images.find(cell)
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
        if path is None:
            missing.append(cell)
        elif not label:
            unlabelled.add(path)
        elif found.setdefault(path, (label, where))[0] != label:
            raise _several(where, cell, [found[path][0], label])
        elif parts is not None and (part := part_of_name(table.rows[row][parts])):
            splits[path] = part
    return LabelList(table.path, found, splits, frozenset(unlabelled - found.keys()), tuple(missing))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?|", cell))
