"""A run's own data: written down when it begins, and found again as it was when it is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnlab.data.divided import find_divided, load_divided
from cnnlab.data.division import DATA, DIVISION, Division, about, as_csv, division_of
from cnnlab.data.parts import Parts
from cnnlab.errors import DataError
from cnnlab.train.record import RunFolder
from cnnlab.train.watch import Watch


def write_data(run: RunFolder, parts: Parts, given: str) -> None:
    """Write `data.json`, and `division.csv` where the data is made of files.

    `given` is what the data was named by: where that is a file, it is the one that said how to divide.
    """
    manifest = Path(given) if Path(given).is_file() else None
    division = division_of(parts, manifest)
    run.write_json(DATA, {**_describe(parts), **about(division)})
    if division is not None:
        run.write_bytes(DIVISION, as_csv(division))


def _describe(parts: Parts) -> dict[str, Any]:
    return {
        "name": parts.name,
        "source": parts.source,
        "sha256": parts.sha256,
        "train_images": len(parts.train),
        "val_images": len(parts.val),
        "test_images": len(parts.test) if parts.test is not None else 0,
        "class_names": list(parts.class_names),
        "skipped": list(parts.skipped),
    }


def load_again(division: Division, run: RunFolder, watch: Watch, *, pixels: int, photos: bool) -> Parts:
    """What a run was given when it began; what was added since does not count.

    Raises:
        DataError: some of it is no longer there, or no longer as it was; names it.
    """
    found, changes = find_divided(division, division.folder)
    if changes.lost:
        raise DataError(
            f"the data of {run.path} in {division.folder} has changed since it began: {'; '.join(changes.lost)}; put "
            "it back as it was, or start a new run"
        )
    for note in changes.notes:
        watch.said(note)
    return load_divided(division, found, pixels=pixels, photos=photos, report=watch.loading)
