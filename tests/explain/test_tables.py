from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.errors import UsageError
from cnnlab.explain.embed import Features
from cnnlab.explain.tables import write_npy, write_parquet

FOUND = Features(torch.arange(12.0).view(2, 3, 2, 1), torch.tensor([0, 2]), ((1, "broken"),))
NAMES, LABELS = ("a.jpg", "b.jpg", "ü,c.jpg"), ("cat", None, None)


def test_npy_comes_with_a_list_of_its_rows(tmp_path: Path) -> None:
    written = write_npy(tmp_path / "f.npy", FOUND, NAMES, LABELS)
    assert [path.name for path in written] == ["f.npy", "f.csv"]
    assert np.array_equal(np.load(written[0], allow_pickle=False), FOUND.values.numpy())
    with written[1].open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["row", "image", "label"], ["0", "a.jpg", "cat"], ["1", "ü,c.jpg", ""]]


def test_parquet_holds_all_in_one(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    [path] = write_parquet(tmp_path / "f.parquet", FOUND, NAMES, LABELS)
    table = parquet.read_table(path).to_pydict()
    assert table["image"] == ["a.jpg", "ü,c.jpg"]
    assert table["label"] == ["cat", None]
    assert table["features"] == FOUND.values.flatten(1).tolist()


def test_parquet_without_pyarrow_gives_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        write_parquet(tmp_path / "f.parquet", FOUND, NAMES, LABELS)
