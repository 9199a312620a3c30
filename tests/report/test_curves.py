from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.report.curves import draw_curves


def record(step: int, split: str) -> dict[str, object]:
    values: dict[str, object] = {"step": step, "epoch": 0, "split": split, "loss": 2 / step, "top1": step / 100}
    return values | ({"lr": 0.1 / step} if split == "train" else {})


def written(folder: Path, *records: dict[str, object], rest: str = "") -> Path:
    lines = [json.dumps(each) + "\n" for each in records]
    (folder / "metrics.jsonl").write_text("".join(lines) + rest, encoding="utf-8")
    return folder


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_runs_curves_are_a_picture_in_its_folder(tmp_path: Path) -> None:
    records = [record(step, split) for step in (20, 40, 60) for split in ("train", "val")]
    path = draw_curves(written(tmp_path, *records), "resnet20 on cifar10, seed 0")
    assert path == tmp_path / "curves.png"
    height, width, _ = pixels(path).shape
    assert (height, width) > (400, 1000)


def test_without_a_record_there_is_no_picture(tmp_path: Path) -> None:
    assert draw_curves(tmp_path, "none") is None
    assert draw_curves(written(tmp_path), "empty") is None
    assert draw_curves(written(tmp_path, record(1, "val")), "no training") is None
    assert not (tmp_path / "curves.png").exists()


def test_one_record_is_enough(tmp_path: Path) -> None:
    assert draw_curves(written(tmp_path, record(1, "train")), "one") is not None


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    draw_curves(written(whole, record(1, "train"), record(2, "train")), "t")
    draw_curves(written(cut, record(1, "train"), record(2, "train"), rest='{"step": 3, "spl'), "t")
    assert np.array_equal(pixels(whole / "curves.png"), pixels(cut / "curves.png"))


def test_other_records_draw_another_picture(tmp_path: Path) -> None:
    draw_curves(written(tmp_path, record(10, "train"), record(20, "train")), "t")
    before = pixels(tmp_path / "curves.png")
    draw_curves(written(tmp_path, record(10, "train"), record(90, "train")), "t")
    assert not np.array_equal(pixels(tmp_path / "curves.png"), before)


@pytest.mark.parametrize("title", ["", "50% of $x", r"a$\nosuch{$b", "数据 set", "caf\udce9"])
def test_any_title_is_only_text(title: str, tmp_path: Path) -> None:
    assert draw_curves(written(tmp_path, record(1, "train")), title) is not None
