"""What ImageNet's folders do not say by themselves: labels of flat validation files, and words for the wnids.

ILSVRC 2012 comes as train/<wnid>/*.JPEG and 50,000 validation files in one folder. Their labels are in one of

- `val.txt` or `val.csv`: a line for each file, its name and its class, which is a wnid or a number that
  counts the sorted wnids from 0 (as Caffe's `val.txt`);
- `LOC_val_solution.csv`: name, then the wnid and its boxes;
- `ILSVRC2012_validation_ground_truth.txt` of the development kit: a number for each file in the order of
  their names. These numbers are the kit's own, *not* the order of the wnids: its `meta.mat` says which is which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnlab.data.decode import SUFFIXES
from cnnlab.errors import DataError

LISTS = ("{split}.txt", "{split}.csv", "LOC_val_solution.csv", "ILSVRC2012_validation_ground_truth.txt")
WORDS = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")
_OWN_NAMES = ("LOC_", "ILSVRC2012_")  # distinctive enough to be looked for above the folder as well


def flat_labels(folder: Path, split: str, files: Sequence[str], classes: Sequence[str]) -> dict[str, str] | None:
    """Give the class of every one of `files` (names, sorted) of the flat folder `split`; None without a list.

    `classes` are those of train, sorted. Raises `DataError`, naming file and line, for a list that does
    not fit.
    """
    for pattern in LISTS:
        found = _find(folder, pattern.format(split=split))
        if found is not None and not (found.name.startswith(_OWN_NAMES) and split not in ("val", "validation")):
            return _read_list(found, folder, files, classes)
    return None


def words_of_classes(folder: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Give the words that a file of words beside the images has for `classes`, or the classes themselves.

    Two classes with the same words ("crane") have their own name added.
    """
    found = next((path for name in WORDS if (path := _find(folder, name)) is not None), None)
    if found is None:
        return tuple(classes)
    pairs = (line.replace("\t", " ", 1).partition(" ") for line in _lines(found))
    words = {wnid: text.strip() for wnid, _, text in pairs if text.strip()}
    shown = [words.get(name, name) for name in classes]
    counts = Counter(shown)
    return tuple(f"{text} ({name})" if counts[text] > 1 else text for text, name in zip(shown, classes, strict=True))


def _find(folder: Path, name: str) -> Path | None:
    places = [folder, *sorted(folder.glob("*devkit*/data")), *sorted(folder.glob("*devkit*"))]
    if name.startswith(_OWN_NAMES):
        places += folder.resolve().parents[:3]
    return next((place / name for place in places if (place / name).is_file()), None)


def _read_list(path: Path, folder: Path, files: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    if path.name.endswith("ground_truth.txt"):
        return _read_ground_truth(path, folder, files, classes)
    known = set(classes)
    labels: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        name, _, rest = line.replace(",", " ").strip().partition(" ")
        if not rest.strip() or (number == 1 and rest.strip().lower() in ("predictionstring", "label", "class", "wnid")):
            continue
        label = rest.split()[0] if path.name.startswith(_OWN_NAMES) else rest.strip()
        label = label if label in known else _by_number(label, classes, f"{path} line {number}")
        key = _without_ending(name.rpartition("/")[2])
        if labels.setdefault(key, label) != label:
            raise DataError(
                f"{path} line {number}: {key} is of class {label!r}, and of {labels[key]!r} in a line before; give "
                "each file one class (its ending and folder do not count)"
            )
    by_file = {file: labels.get(_without_ending(file)) for file in files}
    _require_all(path, by_file)
    return {file: label for file, label in by_file.items() if label is not None}


def _without_ending(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    return stem if f".{ending.lower()}" in SUFFIXES else name


def _read_ground_truth(path: Path, folder: Path, files: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    numbers = _lines(path)
    if len(numbers) != len(files):
        raise DataError(f"{path} has {len(numbers)} labels for {len(files)} files; it must have one for each")
    wnids = _wnids_of_devkit(path, folder)
    known = set(classes)
    labels = {}
    for line, (file, number) in enumerate(zip(files, numbers, strict=True), start=1):
        wnid = wnids.get(number.strip())
        if wnid not in known:
            raise DataError(f"{path} line {line}: class {number.strip()!r} ({wnid}) is none of train's {len(classes)}")
        labels[file] = wnid
    return labels


def _wnids_of_devkit(ground_truth: Path, folder: Path) -> dict[str, str]:
    """Read the kit's own class numbers: {"1": "n02119789", …}."""
    meta = ground_truth.with_name("meta.mat")
    instead = f"or write {folder / 'val.txt'} with a line for each file: its name and its wnid"
    if not meta.is_file():
        raise DataError(f"{ground_truth} has numbers that {meta} explains, which is missing; add it, {instead}")
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError:
        raise DataError(f"{meta} is read with scipy, which is not installed; install scipy, {instead}") from None
    try:
        rows = loadmat(meta, squeeze_me=True)["synsets"]
        return {str(int(row["ILSVRC2012_ID"])): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise DataError(f"{meta} cannot be read ({type(error).__name__}); copy it anew, {instead}") from None


def _by_number(label: str, classes: Sequence[str], where: str) -> str:
    if label.isascii() and label.isdigit() and int(label) < len(classes):
        return classes[int(label)]
    raise DataError(
        f"{where}: class {label!r}; accepted: a class of train, or 0 to {len(classes) - 1} in its sorted order"
    )


def _require_all(path: Path, by_file: dict[str, str | None]) -> None:
    missing = [file for file, label in by_file.items() if label is None]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(f"{path} has no line for {', '.join(missing[:5])}{more}; add them, or move the files away")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    return [line for line in text.splitlines() if line.strip()]


def shown_lists(split: str) -> str:
    """Name the files that `flat_labels` looks for, for a message."""
    names: Iterable[str] = (pattern.format(split=split) for pattern in LISTS)
    return ", ".join(names)
