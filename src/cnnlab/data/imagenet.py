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
from collections.abc import Sequence
from pathlib import Path

from cnnlab.errors import DataError
from cnnlab.types import Split

_SOLUTION, _GROUND_TRUTH = "LOC_val_solution.csv", "ILSVRC2012_validation_ground_truth.txt"
WORDS = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")
_OWN_NAMES = ("LOC_", "ILSVRC2012_")  # distinctive enough to be looked for above the folder as well


def solution(folder: Path) -> Path | None:
    """The competition's list of the validation images' classes, in `folder` or above it."""
    return _find(folder, _SOLUTION)


def ground_truth_labels(
    folder: Path, split: Split | None, files: Sequence[str], classes: Sequence[str]
) -> dict[str, str] | None:
    """The class of each of `files` (names, sorted) of the validation part by the development kit; None without it.

    `classes` are those of train.

    Raises:
        DataError: names file and line of a list that does not fit.
    """
    found = _find(folder, _GROUND_TRUTH) if split is Split.VAL else None
    return None if found is None else _read_ground_truth(found, folder, files, classes)


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


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    return [line for line in text.splitlines() if line.strip()]
