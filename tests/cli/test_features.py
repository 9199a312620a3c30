from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from .conftest import Cli


def test_a_folder_becomes_rows_and_their_list(cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path) -> None:
    found = cli("features", tiny_run, shapes / "disc", "--out", "new/f.npy", "--json")
    assert found.code == 0
    assert (found.json["layer"], found.json["shape"]) == ("pooled", [12, 64])
    values = np.load(tmp_path / "new" / "f.npy", allow_pickle=False)
    assert values.shape == (12, 64)
    with (tmp_path / "new" / "f.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["image"]).name for row in rows] == [f"{number:02}.jpg" for number in range(12)]


def test_maps_keep_their_places_when_asked(cli: Cli, tiny_run: Path, shapes: Path) -> None:
    out = cli("features", tiny_run, shapes / "disc" / "00.jpg", "--layer", "layer2", "--places").out
    assert out.startswith("1 x 32 x 8 x 8 of layer2 -> features.npy")


def test_broken_files_are_named(cli: Cli, tiny_run: Path, shapes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.jpg").write_text("text", encoding="utf-8")
    found = cli("features", tiny_run, folder)
    assert found.code == 3
    assert "none of 1 images could be read" in found.err
    (folder / "b.jpg").write_bytes((shapes / "disc" / "00.jpg").read_bytes())
    found = cli("features", tiny_run, folder, "--json")
    assert found.code == 3
    assert found.json["shape"] == [1, 64]
    assert [Path(each["path"]).name for each in found.json["refused"]] == ["a.jpg"]


def test_a_folder_of_classes_is_a_data_set_and_its_test_part_is_recorded(
    cli: Cli, own_run: Path, shapes: Path, tmp_path: Path
) -> None:
    shutil.copytree(shapes, tmp_path / "data" / "train")
    shutil.copytree(shapes, tmp_path / "data" / "test")
    reads = own_run / "test_reads.jsonl"
    before = reads.read_text(encoding="utf-8").splitlines() if reads.is_file() else []
    assert cli("features", own_run, "data", "--split", "train").code == 0
    assert cli("features", own_run, "data", "--split", "test").code == 0
    with (tmp_path / "features.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    assert all(row["label"] == Path(row["image"]).parent.name for row in rows)
    after = [json.loads(line) for line in reads.read_text(encoding="utf-8").splitlines()]
    assert len(after) == len(before) + 1
    assert (after[-1]["images"], after[-1]["why"]) == (36, "cnnlab features")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--out", "f.txt"), 2, ".npy or .parquet"),
        (("--layer", "layer9"), 2, "no layer 'layer9'"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...], code: int, message: str, cli: Cli, tiny_run: Path, shapes: Path
) -> None:
    found = cli("features", tiny_run, shapes / "disc" / "00.jpg", *arguments)
    assert found.code == code
    assert message in found.err
