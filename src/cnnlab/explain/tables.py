"""Features of images as files: .npy with a list of the rows beside it, or one .parquet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnlab.errors import UsageError
from cnnlab.explain.embed import Features


def write_npy(path: Path, found: Features, names: Sequence[str], labels: Sequence[str | None]) -> list[Path]:
    """Write the values to `path` and `row,image,label` to the .csv of the same name; returns both paths."""
    listed = path.with_suffix(".csv")
    with path.open("wb") as file:  # given a name, numpy adds .npy to one that ends in .NPY
        np.save(file, found.values.numpy(), allow_pickle=False)
    with listed.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["row", "image", "label"])
        for row, index in enumerate(found.indices.tolist()):
            writer.writerow([row, names[index], labels[index] or ""])
    return [path, listed]


def write_parquet(path: Path, found: Features, names: Sequence[str], labels: Sequence[str | None]) -> list[Path]:
    """Write columns `image`, `label` and `features` (a list of float32, maps flattened); returns the path alone.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed: pip install pyarrow; or use .npy") from None
    chosen = found.indices.tolist()
    flat = found.values.flatten(1).numpy()
    column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat.reshape(-1)), flat.shape[1])
    table = pyarrow.table(
        {
            "image": [names[index] for index in chosen],
            "label": [labels[index] for index in chosen],
            "features": column,
        }
    )
    parquet.write_table(table, path)
    return [path]
